//! Notifications to a service manager.

use std::io;
use std::os::unix::net::UnixDatagram;

use crate::platform::{NOTIFY_VARIABLE, notification_address};

/// Notifies the service manager, if there is one: see sd_notify(3).
pub(crate) fn notify(state: &str) {
    let Some(place) = std::env::var_os(NOTIFY_VARIABLE) else { return };
    let send = || -> io::Result<usize> {
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &notification_address(&place)?)
    };
    // A manager that does not listen needs no notification.
    drop(send());
}
