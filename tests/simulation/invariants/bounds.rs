//! Limits that the operator set.

use super::Fixture;
use autogit::spec::{Cpus, HostName, Pool};
use autogit::world::Runner;

pub(super) fn no_pool_starts_beyond_its_max(fixture: &Fixture<'_>) -> Result<(), String> {
    if fixture.injected.twins {
        return Ok(());
    }
    for (_, new) in fixture.fresh {
        let Some(pool) = fixture.snapshot.spec.pool(&new.variant.pool) else { continue };
        let seen = listed(fixture).filter(|(host, _)| !fixture.injected.unseen.contains(*host));
        let of_pool = seen.filter(|(_, runner)| runner.variant.pool == pool.name);
        let live = of_pool.filter(|(_, runner)| !had_its_last_job(runner, pool)).count();
        if live > pool.max as usize {
            let max = pool.max;
            return Err(format!("{} makes {live} of at most {max}", new.name));
        }
    }
    Ok(())
}

/// It exits, and its successor may be there before it is gone.
fn had_its_last_job(runner: &Runner, pool: &Pool) -> bool {
    let log = runner.log.as_ref().filter(|log| !log.works);
    pool.jobs_per_runner > 0 && log.is_some_and(|log| log.jobs_ended >= pool.jobs_per_runner)
}

pub(super) fn no_host_starts_beyond_its_budget(fixture: &Fixture<'_>) -> Result<(), String> {
    if fixture.injected.twins {
        return Ok(());
    }
    for (host, new) in fixture.fresh {
        let budget = fixture.snapshot.spec.hosts.get(host).and_then(|host| host.budget.runners);
        let live = listed(fixture).filter(|(name, _)| *name == host).count();
        if let Some(budget) = budget
            && live > budget as usize
        {
            return Err(format!("{} makes {live} of at most {budget} on {host}", new.name));
        }
    }
    Ok(())
}

/// By what the containers were made with: what their pools ask for by now does not count.
pub(super) fn no_host_starts_beyond_its_cpus(fixture: &Fixture<'_>) -> Result<(), String> {
    if fixture.injected.twins {
        return Ok(());
    }
    for (host, new) in fixture.fresh {
        let budget = fixture.snapshot.spec.hosts.get(host).and_then(|host| host.budget.cpus);
        let Some(budget) = budget.map(Cpus::at_most) else { continue };
        let live = listed(fixture).filter(|(name, _)| *name == host);
        let used = live.fold(Cpus::default(), |sum, (_, runner)| sum.plus(cpus_of(runner)));
        if used > budget && cpus_of(new) > Cpus::default() {
            return Err(format!("{} makes {used} of at most {budget} cpus on {host}", new.name));
        }
    }
    Ok(())
}

/// What its container was made with.
pub(super) fn cpus_of(runner: &Runner) -> Cpus {
    runner.cost.as_ref().map(|cost| cost.cpus).unwrap_or_default()
}

pub(super) fn no_storm_of_starts(fixture: &Fixture<'_>) -> Result<(), String> {
    let most = fixture.snapshot.spec.starts_per_minute as usize;
    if fixture.injected.twins || fixture.made_lately <= most {
        return Ok(());
    }
    Err(format!("{} runners were made within a minute, at most {most} may be", fixture.made_lately))
}

/// Living runners that no list lacked.
fn listed<'a>(fixture: &'a Fixture<'_>) -> impl Iterator<Item = (&'a HostName, &'a Runner)> {
    let unlisted = &fixture.injected.unlisted;
    fixture.snapshot.live_runners().filter(|(_, runner)| !unlisted.contains(&runner.id))
}
