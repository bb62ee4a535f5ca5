//! What is said to the drivers of networks and volumes.

use super::spec::bounded;
use crate::error::{Error, Result};

guarded_map! {
    /// A driver's options, whose values `Debug` doesn't print: a volume's may hold a password.
    ///
    /// ```
    /// use catamaran::model::DriverOptions;
    ///
    /// let options: DriverOptions = [("o", "username=a,password=b")].into();
    /// assert_eq!(format!("{options:?}"), r#"{"o": "…"}"#);
    /// assert_eq!(options.get("o"), Some("username=a,password=b"));
    /// ```
    DriverOptions of "an option", "options"
}

impl DriverOptions {
    pub(super) fn validate(&self) -> Result<()> {
        for (key, value) in &self.0 {
            if key.is_empty() {
                return Err(Error::invalid("options", "an option has no name"));
            }
            bounded("options", key, 255)?;
            bounded("options", value, 4096)?;
        }
        Ok(())
    }
}
