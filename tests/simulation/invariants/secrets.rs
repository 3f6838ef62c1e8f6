//! Tokens stay where they belong.

use secrecy::{ExposeSecret, SecretString};

use super::Fixture;

pub(super) fn no_secret_is_shown(fixture: &Fixture<'_>) -> Result<(), String> {
    if fixture.fresh.is_empty() {
        return Ok(());
    }
    let secrets = &fixture.injected.secrets;
    for host in fixture.snapshot.hosts.values() {
        for container in &host.containers {
            no_secret_in(secrets, &container.name, "a container's name")?;
            for (name, value) in &container.labels {
                no_secret_in(secrets, value, name)?;
            }
        }
        for object in host.volumes.iter().chain(&host.networks) {
            no_secret_in(secrets, &object.name, "a volume's or network's name")?;
        }
    }
    for record in &fixture.snapshot.records {
        no_secret_in(secrets, &record.description, "a record's description")?;
        no_secret_in(secrets, &record.maintenance_note, "a record's note")?;
    }
    Ok(())
}

/// Whether `text`, which is found at `place`, holds none of `secrets`.
pub(crate) fn no_secret_in(
    secrets: &[SecretString],
    text: &str,
    place: &str,
) -> Result<(), String> {
    let shown = secrets.iter().any(|secret| text.contains(secret.expose_secret()));
    if shown { Err(format!("a token is in {place}")) } else { Ok(()) }
}
