//! The locks of this process as a whole, which a forked child must find free and consistent.

use crate::{keeper, segments, spare};

/// Takes all of them, in the order in which they may be nested. Each is held for a moment only, and
/// never while waiting for anything else.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no forks"))]
pub(crate) fn hold_locks() {
    spare::hold();
    keeper::hold();
    segments::hold();
}

/// Releases them, in the parent or the child.
#[cfg_attr(not(unix), expect(dead_code, reason = "there are no forks"))]
pub(crate) fn release_locks(in_child: bool) {
    segments::let_go();
    keeper::let_go(in_child);
    spare::let_go();
}
