//! Limits that the operator set.

use super::Scene;
use autogit::spec::HostName;
use autogit::world::Runner;

pub(super) fn no_pool_starts_beyond_its_max(scene: &Scene<'_>) -> Result<(), String> {
    if scene.ledger.twins {
        return Ok(());
    }
    for (_, new) in scene.fresh {
        let Some(pool) = scene.moment.spec.pool(&new.variant.pool) else { continue };
        let seen = listed(scene).filter(|(host, _)| !scene.ledger.unseen.contains(*host));
        let live = seen.filter(|(_, runner)| runner.variant.pool == pool.name).count();
        if live > pool.max as usize {
            let max = pool.max;
            return Err(format!("{} makes {live} of at most {max}", new.name));
        }
    }
    Ok(())
}

pub(super) fn no_host_starts_beyond_its_budget(scene: &Scene<'_>) -> Result<(), String> {
    if scene.ledger.twins {
        return Ok(());
    }
    for (host, new) in scene.fresh {
        let budget = scene.moment.spec.hosts.get(host).and_then(|host| host.budget.runners);
        let live = listed(scene).filter(|(name, _)| *name == host).count();
        if let Some(budget) = budget
            && live > budget as usize
        {
            return Err(format!("{} makes {live} of at most {budget} on {host}", new.name));
        }
    }
    Ok(())
}

pub(super) fn no_storm_of_starts(scene: &Scene<'_>) -> Result<(), String> {
    let most = scene.moment.spec.starts_per_minute as usize;
    if scene.ledger.twins || scene.made_lately <= most {
        return Ok(());
    }
    Err(format!("{} runners were made within a minute, at most {most} may be", scene.made_lately))
}

/// Living runners that no list lacked.
fn listed<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = (&'a HostName, &'a Runner)> {
    let unlisted = &scene.ledger.unlisted;
    scene.moment.live_runners().filter(|(_, runner)| !unlisted.contains(&runner.id))
}
