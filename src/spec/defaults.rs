//! `defaults` under each pool: maps merge deeply, lists replace, `null` resets. Every node keeps
//! the place where it was written, so that a fault of `defaults` is shown there.

use super::node::{Entry, Kind, Node};

/// The tree with its `defaults` merged into each pool.
pub(super) fn spread(mut root: Node) -> Node {
    let defaults = root.entry("defaults").map(|entry| entry.value.clone());
    if let Kind::Map(entries) = &mut root.kind
        && let Some(pools) = entries.iter_mut().find(|entry| entry.key == "pools")
        && let Kind::Map(pools) = &mut pools.value.kind
    {
        for pool in pools {
            // `linux:` without a body is a pool of nothing but defaults.
            if pool.value.is_null() {
                pool.value.kind = Kind::Map(Vec::new());
            }
            if let Some(defaults) = &defaults {
                inherit(&mut pool.value, defaults);
            }
        }
    }
    root
}

fn inherit(own: &mut Node, defaults: &Node) {
    let (Kind::Map(entries), Kind::Map(inherited)) = (&mut own.kind, &defaults.kind) else {
        return;
    };
    for default in inherited {
        let replaced = replaced(entries, &default.key);
        match entries.iter_mut().find(|entry| entry.key == default.key) {
            Some(_) if exclusive(&default.key) => {}
            Some(entry) => inherit(&mut entry.value, &default.value),
            None if replaced => {}
            None => entries.push(default.clone()),
        }
    }
}

/// Maps that stand for one choice: half of one and half of the other would be neither.
fn exclusive(key: &str) -> bool {
    matches!(key, "scope" | "warm" | "proxy")
}

/// A token and its file are one setting: giving the one replaces the other.
fn replaced(own: &[Entry], key: &str) -> bool {
    let other = match key {
        "runner_token" => "runner_token_file",
        "runner_token_file" => "runner_token",
        _ => return false,
    };
    own.iter().any(|entry| entry.key == other)
}
