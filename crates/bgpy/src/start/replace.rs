//! Starting a server in the place of the one that has its name.

use std::thread;
use std::time::Duration;

use super::background::{self, Background};
use super::preflight;
use crate::client::{Client, ClientOptions};
use crate::config::Config;
use crate::error::{CallError, StartError};
use crate::name::Name;
use crate::registry::{Claim, Entry, Registry};
use crate::termination::{end_phase, until_ended};
use crate::wait::Wait;

/// How often a claim that another process has is tried again.
const LOOK: Duration = Duration::from_millis(10);

/// Ends the server with this name, if there is one, and starts another in its place, at the same
/// address and with the same token unless the configuration says otherwise. Clients that call in the
/// meantime wait for the new server. The old one is ended only if the new one can be started, as far
/// as that is known without running its tasks.
///
/// # Errors
/// [`StartError::NotReplaced`] if the old server goes on or is still ending, and otherwise as for
/// [`background::start`].
pub fn replace(name: &Name, mut config: Config, wait: &Wait<'_>) -> Result<Background, StartError> {
    // An unusable registry is reported by the server itself.
    let Some(registry) = Registry::of_user().ok().filter(|it| it.prepare().is_ok()) else {
        return background::start(config, wait);
    };
    let claim = claim(&registry, name, wait)?;
    let old = holder(&registry, name).map_err(|what| not_replaced(name, what))?;
    let started = match &old {
        None => background::start(config, wait),
        Some(old) => {
            take_over(&mut config, old);
            succeed(&registry, old, config, wait)
        }
    };
    claim.release();
    started
}

/// Ends a server of this user on this machine, and starts it again with the same settings.
///
/// # Errors
/// As for [`replace`].
pub fn renew(old: &Entry, wait: &Wait<'_>) -> Result<Background, StartError> {
    let what = "its settings are not known";
    let registry = Registry::of_user().map_err(|source| StartError::System { what, source })?;
    let config =
        settings(&registry, old).ok_or_else(|| not_replaced(&old.target(), what.to_owned()))?;
    let claim = old.name.as_ref().map(|name| claim(&registry, name, wait)).transpose()?;
    let started = succeed(&registry, old, config, wait);
    if let Some(claim) = claim {
        claim.release();
    }
    started
}

/// The settings for starting a server again; `None` if it was not started in the background.
pub fn settings(registry: &Registry, old: &Entry) -> Option<Config> {
    let known = old.full_config().filter(|config| config.launch.is_some())?;
    Some(Config {
        port: old.address.port(),
        wanted_port: Some(known.wanted_port()),
        instance: String::new(),
        log_file: registry.chosen_log_file(&known).map(Into::into),
        token: old.token.clone(),
        is_token_made_up: old.token.is_some() && !old.has_chosen_token,
        ..known
    })
}

/// Starts a server in the place of another.
fn succeed(
    registry: &Registry,
    old: &Entry,
    config: Config,
    wait: &Wait<'_>,
) -> Result<Background, StartError> {
    preflight::check(&config, registry, Some(old), &|| wait.is_interrupted()).map_err(|what| {
        not_replaced(
            &old.target(),
            format!("it is still running, because the new one cannot start: {what}"),
        )
    })?;
    end(registry, old, wait)?;
    background::start(config, wait).map_err(|source| StartError::Replaced {
        server: old.target().to_string(),
        source: Box::new(source),
    })
}

/// Waits for the right to start a server with this name.
fn claim(registry: &Registry, name: &Name, wait: &Wait<'_>) -> Result<Claim, StartError> {
    let what = "whether another process starts a server of this name is not known";
    let _phase = wait.phase(|| {
        let text = format!("Waiting for the process that is starting {name}.");
        move || text.clone()
    });
    loop {
        let claim = registry.claim_start(name);
        if let Some(claim) = claim.map_err(|source| StartError::System { what, source })? {
            return Ok(claim);
        }
        let Some(slice) = wait.slice() else {
            return Err(not_replaced(name, "another process is starting it".to_owned()));
        };
        thread::sleep(slice.min(LOOK));
        if wait.is_interrupted() {
            return Err(StartError::Interrupted);
        }
    }
}

/// The server that has the name, also while it is ending.
fn holder(registry: &Registry, name: &Name) -> Result<Option<Entry>, String> {
    let doubt = |error: std::io::Error| format!("whether it runs is not known: {error}");
    let mut known = registry.named(name).map_err(doubt)?;
    known.retain_mut(|entry| !registry.mark_dead(entry));
    let ending = registry.ended().map_err(doubt)?.into_iter();
    let ending = ending.filter(|it| it.name.as_ref() == Some(name) && it.ending.is_none());
    Ok(known.into_iter().chain(ending).find(Entry::has_process))
}

/// Keeps what clients know of the old server, unless the configuration asks for something else.
fn take_over(config: &mut Config, old: &Entry) {
    let known = old.config.as_deref();
    if config.port == 0 && known.is_some_and(|known| known.host == config.host) {
        config.wanted_port = Some(0);
        config.port = old.address.port();
    }
    let in_environment = std::env::var_os("BGPY_TOKEN").is_some_and(|token| !token.is_empty());
    if config.token.is_none() && !in_environment {
        config.token.clone_from(&old.token);
        config.is_token_made_up = old.token.is_some() && !old.has_chosen_token;
    }
}

/// Ends the old server, after the calls that it has accepted.
fn end(registry: &Registry, old: &Entry, wait: &Wait<'_>) -> Result<(), StartError> {
    let _phase = end_phase(&old.target(), Some((registry, old)), wait);
    if old.retired_ms.is_none() {
        match Client::new(old.unique_target(), ClientOptions::default()).end(wait) {
            Ok(()) | Err(CallError::Timeout { accepted: true, .. }) => {}
            Err(CallError::Interrupted) => return Err(StartError::Interrupted),
            Err(error) => return Err(not_replaced(&old.target(), error.to_string())),
        }
    }
    until_ended(registry, old, wait).map_err(|hindrance| match wait.slice() {
        Some(_) => StartError::Interrupted,
        None => {
            let after = wait.limit().unwrap_or_default();
            StartError::StillEnding { server: old.target().to_string(), after, hindrance }
        }
    })
}

fn not_replaced(server: &(impl ToString + ?Sized), what: String) -> StartError {
    StartError::NotReplaced { server: server.to_string(), what }
}
