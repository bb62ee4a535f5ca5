//! Go writes an empty slice or map as `null`, and leaves out what newer or older versions don't know.

use serde::{Deserialize, Deserializer};

/// The default where there is `null`.
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
