//! The runners' network, and those that jobs made.

use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{IpamConfig, Network, NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};

use serde_json::Value;

use super::client::{CHANGE_LIMIT, Client, READ_LIMIT};
use super::failure::{Failure, gone_is_done};
use super::{jobs, labels, listed, raw};
use crate::engine::EngineError;
use crate::spec::InstanceName;
use crate::world::{JobNetworkObject, NetworkState};

/// The network of that name, with what is on it.
pub(super) async fn find(
    client: &Client,
    name: &str,
    instance: &InstanceName,
) -> Result<Option<NetworkState>, EngineError> {
    let Some(network) = named(client, name).await?.into_iter().next() else { return Ok(None) };
    let ours = is_of(&network, instance);
    let Some(id) = network.id else { return Ok(None) };
    // The network itself lists running containers only, and one that never ran is known to be on
    // it by name alone.
    let query = raw::filtered("network", &[id.clone(), name.to_owned()]);
    let containers = listed::containers(client, &query).await?.len();
    Ok(Some(NetworkState { id, ours, containers }))
}

/// Networks that AutoGit made for `instance` under another name.
pub(super) async fn old(
    client: &Client,
    name: &str,
    instance: &InstanceName,
) -> Result<Vec<NetworkState>, EngineError> {
    let query = raw::labelled(&[labels::of_instance(instance)]);
    let told = client.get("list networks", READ_LIMIT, &format!("/networks?{query}")).await?;
    let id_and_name = |item: &Value| {
        let word = |key: &str| Some(item.get(key)?.as_str()?.to_owned());
        Some((word("Id")?, word("Name")?))
    };
    let mut networks = Vec::new();
    for (id, other) in listed::items("list networks", &told, id_and_name)? {
        if other != name {
            let query = raw::filtered("network", &[id.clone(), other]);
            let containers = listed::containers(client, &query).await?.len();
            networks.push(NetworkState { id, ours: true, containers });
        }
    }
    networks.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(networks)
}

/// Makes the network; one that exists is as wanted, whosever it is.
pub(super) async fn create(
    client: &Client,
    name: &str,
    instance: &InstanceName,
) -> Result<(), EngineError> {
    if !named(client, name).await?.is_empty() {
        return Ok(());
    }
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        labels: Some([(labels::INSTANCE.to_owned(), instance.to_string())].into()),
        ..NetworkCreateRequest::default()
    };
    let attempt = format!("create network `{name}`");
    let created = client
        .call(&attempt, CHANGE_LIMIT, |docker| async move { docker.create_network(request).await });
    match created.await {
        Ok(_) => leave_one(client, name, instance).await,
        Err(failure) if failure.status() == Some(409) => Ok(()),
        Err(failure) => Err(refusal(failure, &attempt)),
    }
}

/// Two versions of Docker say in two ways that no address is left for one more network.
fn refusal(failure: Failure, attempt: &str) -> EngineError {
    let full = ["could not find an available", "address pools have been fully subnetted"];
    match failure.answer() {
        Some((_, message)) if full.iter().any(|words| message.contains(words)) => {
            let hint = "remove networks that nothing uses (`docker network prune`), or widen \
                        `default-address-pools` in the engine's `daemon.json`";
            let problem = format!("{message}\nhint: {hint}");
            EngineError::Refused { attempt: attempt.to_owned(), problem }
        }
        _ => failure.into(),
    }
}

/// Before API 1.44 an engine takes a second network of one name, which no container can then join
/// by name. Of those of ours that came about at once one stays: the first, or one that a runner
/// has joined meanwhile. Whoever sees several settles it, for a network whose making began first
/// may be the last to be seen, and only its maker sees them all then.
async fn leave_one(
    client: &Client,
    name: &str,
    instance: &InstanceName,
) -> Result<(), EngineError> {
    let found = named(client, name).await?.into_iter();
    let mut ours = found.filter(|network| is_of(network, instance)).filter_map(|found| found.id);
    let Some(first) = ours.next() else { return Ok(()) };
    for other in ours {
        if delete(client, &other).await.is_err() {
            return delete(client, &first).await;
        }
    }
    Ok(())
}

fn is_of(network: &Network, instance: &InstanceName) -> bool {
    let label = network.labels.as_ref().and_then(|labels| labels.get(labels::INSTANCE));
    label.map(String::as_str) == Some(instance.as_str())
}

/// Removes a network that AutoGit made.
pub(super) async fn remove(client: &Client, id: &str) -> Result<(), EngineError> {
    let Some(network) = inspect(client, id).await? else { return Ok(()) };
    if !network.labels.is_some_and(|labels| labels.contains_key(labels::INSTANCE)) {
        return Err(EngineError::Refused {
            attempt: format!("get to remove network {id}"),
            problem: "AutoGit did not make it".to_owned(),
        });
    }
    delete(client, id).await
}

/// Removes a network that a job made.
pub(super) async fn remove_of_job(
    client: &Client,
    network: &JobNetworkObject,
) -> Result<(), EngineError> {
    let id = &network.id;
    let Some(shown) = inspect(client, id).await? else { return Ok(()) };
    if !jobs::made_by(shown.labels, &network.system_id) {
        return Err(jobs::not_of_a_job(&format!("network {id}")));
    }
    delete(client, id).await
}

/// Docker refuses while a container is on it; nothing is disconnected.
async fn delete(client: &Client, id: &str) -> Result<(), EngineError> {
    let removed = client.call("remove a network", CHANGE_LIMIT, |docker| async move {
        docker.remove_network(id).await
    });
    Ok(gone_is_done(removed.await)?)
}

/// The address of the engine's machine on the network that containers join unless told otherwise;
/// Docker and Podman call theirs by different names.
pub(super) async fn gateway(client: &Client) -> Result<IpAddr, EngineError> {
    for name in ["bridge", "podman"] {
        let network = inspect(client, name).await?;
        let parts = network.and_then(|network| network.ipam?.config).unwrap_or_default();
        if let Some(address) = parts.into_iter().find_map(|part| gateway_of(&part)) {
            return Ok(address);
        }
    }
    Err(EngineError::NotFound { object: "gateway of its standard network".to_owned() })
}

/// Docker does not always tell the gateway; unless told otherwise it takes the subnet's first
/// address.
fn gateway_of(part: &IpamConfig) -> Option<IpAddr> {
    let told = part.gateway.as_deref().filter(|gateway| !gateway.is_empty());
    if let Some(told) = told {
        return told.parse().ok();
    }
    let (first, _) = part.subnet.as_deref()?.split_once('/')?;
    Some(Ipv4Addr::from_bits(first.parse::<Ipv4Addr>().ok()?.to_bits().checked_add(1)?).into())
}

async fn inspect(client: &Client, id: &str) -> Result<Option<NetworkInspect>, EngineError> {
    let shown = client.call("show a network", READ_LIMIT, |docker| async move {
        docker.inspect_network(id, None::<InspectNetworkOptions>).await
    });
    match shown.await {
        Ok(network) => Ok(Some(network)),
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// The networks of exactly that name, the first made first.
async fn named(client: &Client, name: &str) -> Result<Vec<Network>, Failure> {
    let options =
        ListNetworksOptions { filters: Some([("name".to_owned(), vec![name.to_owned()])].into()) };
    let mut found = client
        .call("list networks", READ_LIMIT, |docker| async move {
            docker.list_networks(Some(options)).await
        })
        .await?;
    // Docker's filter takes any name that contains the word.
    found.retain(|network| network.name.as_deref() == Some(name));
    found.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
    Ok(found)
}
