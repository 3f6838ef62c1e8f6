//! Bugs on the way to GitLab.

use bytes::Bytes;
use http::{Method, Request, Response};

pub(super) fn rows_stay(request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let deletes = *request.method() == Method::DELETE;
    let row = request.uri().path().ends_with("/runners/managers");
    (deletes && row).then(|| Response::builder().status(204).body(Bytes::new()).unwrap())
}
