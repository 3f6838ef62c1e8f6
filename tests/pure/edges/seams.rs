//! What each way in has to hold. The fuzz targets take these files in one by one, so a file names
//! another by `super`.

pub(crate) mod answers;
pub(crate) mod choices;
pub(crate) mod gitlab;
pub(crate) mod interpolation;
pub(crate) mod replies;
pub(crate) mod spec;
pub(crate) mod webhook;

use crate::api::harness;
use crate::support::world;
