//! Puts the content of a credential's file in the place of its path.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::error::{NamedFileError, Warning};
use super::file::{self, FileError, FileProblem};
use super::load::{Inputs, Noted};
use crate::spec::{Credential, Spec, secret_in_file, weak_secret_in_file};

/// The longest tokens, signed ones, are a few KiB.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Readable by the group or by everyone.
const OTHERS_READ: u32 = 0o044;

/// Reads every file that a credential of `spec` names, relative to `folder`. The answer is what
/// could not be used; nothing is left out for the first failure.
pub(super) fn read(
    spec: &mut Spec,
    folder: &Path,
    warnings: &mut Vec<Warning>,
    inputs: &mut Inputs,
    noted: &mut Noted,
) -> Vec<NamedFileError> {
    let mut errors = Vec::new();
    let mut from_files = BTreeMap::new();
    for (field, credential) in named(spec) {
        let Credential::File(path) = credential else { continue };
        let written = path.clone();
        let path = folder.join(&written);
        noted.0.insert(path.clone());
        match secret(&field, &path) {
            Ok((text, mode)) => {
                inputs.add(&field, text.as_bytes());
                if let Some(is) = weak_secret_in_file(&field, &text) {
                    let (field, path) = (field.clone(), path.clone());
                    warnings.push(Warning::Weak { field, path, is });
                }
                *credential = Credential::Value(SecretString::from(text));
                from_files.insert(field.clone(), path.clone());
                if mode & OTHERS_READ != 0 {
                    warnings.push(Warning::Exposed { field, path, mode });
                }
            }
            Err(error) => {
                let error = error.of_a_secret(&written, folder);
                errors.push(NamedFileError { field, error });
            }
        }
    }
    errors.extend(same_tokens(spec, &from_files));
    errors
}

/// The API's tokens tell what their holders may do, so no two may be the same. Those that stand in
/// the spec itself are compared by its own check.
fn same_tokens(spec: &Spec, from_files: &BTreeMap<String, PathBuf>) -> Vec<NamedFileError> {
    let api = &spec.api;
    let tokens = [
        ("api.token", &api.token),
        ("api.read_token", &api.read_token),
        ("api.plan_token", &api.plan_token),
    ];
    let tokens: Vec<(&str, &str)> = tokens
        .into_iter()
        .filter_map(|(field, token)| Some((field, token.as_ref()?.value()?.expose_secret())))
        .collect();
    let mut errors = Vec::new();
    for (index, (field, token)) in tokens.iter().enumerate() {
        let above = tokens.iter().take(index).find(|(_, above)| above == token);
        let Some((above, _)) = above else { continue };
        let named = |field: &str| format!("{field}_file");
        let pairs = [(field, above), (above, field)];
        let in_file = pairs.into_iter().find_map(|(field, other)| {
            let path = from_files.get(&named(field))?;
            Some((named(field), path, other))
        });
        let Some((field, path, other)) = in_file else { continue };
        let other =
            if from_files.contains_key(&named(other)) { named(other) } else { (*other).to_owned() };
        let error = FileProblem::SameToken { other }.of(path);
        errors.push(NamedFileError { field, error });
    }
    errors
}

/// All credentials, each with the field that would name its file.
fn named(spec: &mut Spec) -> Vec<(String, &mut Credential)> {
    let gitlab = &mut spec.gitlab;
    let api = &mut spec.api;
    let fixed = [
        ("gitlab.token_file", Some(&mut gitlab.token)),
        ("gitlab.registration_token_file", gitlab.registration_token.as_mut()),
        ("gitlab.webhook_secret_file", gitlab.webhook_secret.as_mut()),
        ("api.token_file", api.token.as_mut()),
        ("api.read_token_file", api.read_token.as_mut()),
        ("api.plan_token_file", api.plan_token.as_mut()),
    ];
    let fixed = fixed
        .into_iter()
        .filter_map(|(field, credential)| credential.map(|found| (field.to_owned(), found)));
    let pools = spec.pools.iter_mut().filter_map(|pool| {
        let field = format!("pools.{}.runner_token_file", pool.name);
        pool.runner_token.as_mut().map(|found| (field, found))
    });
    fixed.chain(pools).collect()
}

/// The secret in the file that `field` names, and the file's permissions.
fn secret(field: &str, path: &Path) -> Result<(String, u32), FileError> {
    let (text, metadata) = file::text(path, SECRET_BYTES_MAX)?;
    if text.trim().is_empty() {
        return Err(FileProblem::Empty.of(path));
    }
    match secret_in_file(field, &text) {
        Ok(secret) => Ok((secret.to_owned(), metadata.mode() & 0o7777)),
        Err((is, hint)) => Err(FileProblem::NoSecret { is, hint }.of(path)),
    }
}
