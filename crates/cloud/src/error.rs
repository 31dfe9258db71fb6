//! Why an endpoint is refused.

use pocketbench_domain::{ErrorCode, ErrorReport};

/// What is wrong with the description of an endpoint. None of these repeats what was typed: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The base URL cannot be used.
    #[error("the address {0}")]
    BaseUrl(&'static str),
    /// Prompts and key would travel in clear over the internet.
    #[error("the address is not encrypted and not on the local network")]
    NotEncrypted,
    /// The model's name is empty or no name.
    #[error("the model's name must have 1 to 256 characters and no control characters")]
    ModelName,
}

impl From<CloudError> for ErrorReport {
    fn from(error: CloudError) -> Self {
        let hint = match error {
            CloudError::BaseUrl(_) => "Copy the base URL from the provider's page, such as https://example.com/v1.",
            CloudError::NotEncrypted => "Use the address that starts with https://.",
            CloudError::ModelName => "Copy the model's name from the provider's list of models.",
        };
        Self::new(ErrorCode::InvalidInput, format!("The endpoint cannot be used: {error}.")).hint(hint)
    }
}
