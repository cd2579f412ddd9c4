//! The hostile catalogue: situations by number, each with the one phase and reason that it has to end in, and with bounds on
//! time, processor time, memory, descriptors and tasks.
//!
//! One file for each group of situations, one [`Row`](row::Row) for each situation. Must not know how a probe works.

#[cfg(test)]
mod row;
#[cfg(test)]
mod run;

/// Declares the groups, one line each.
macro_rules! groups {
    ($($group:ident,)+) => {
        $(#[cfg(test)] mod $group;)+

        #[cfg(test)]
        mod tests {
            #[test]
            fn every_situation_ends_in_its_own_reason_within_its_bounds() {
                let groups = [$(crate::$group::rows()),+];
                crate::run::all(groups.into_iter().flatten().collect());
            }
        }
    };
}

// THE LIST: one line for each group.
groups! {
    clocks,
    coding,
    dns,
    framing,
    handshake,
    http2,
    name_server,
    phases,
    policy,
    proxy,
    redirect,
    syntax,
    tcp,
    tls,
}
