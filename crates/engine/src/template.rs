//! From messages to text, and from text to tokens.

use crate::ffi::{self, Token};
use crate::{EngineError, LoadedModel};
use pocketbench_domain::generate::{Message, Prompt, TemplateSource};
use std::ffi::CString;

impl LoadedModel {
    /// The prompt as one text, and how it came about.
    pub(crate) fn render(&self, prompt: &Prompt) -> Result<(String, TemplateSource), EngineError> {
        match prompt {
            Prompt::Raw(text) => Ok((text.clone(), TemplateSource::Raw)),
            Prompt::Messages(messages) => {
                let Some(template) = &self.template else {
                    return Ok((plain(messages), TemplateSource::FallbackPlain));
                };
                let turns = turns(messages)?;
                if let Some(text) = ffi::apply_template(template, &turns) {
                    return Ok((text, TemplateSource::ModelFile));
                }
                ffi::apply_template(c"chatml", &turns)
                    .map(|text| (text, TemplateSource::FallbackChatml))
                    .ok_or_else(|| EngineError::Invalid("the messages could not be put into a template".into()))
            }
        }
    }

    /// Tokens of a rendered prompt. Control tokens are read as such only where a template wrote them.
    pub(crate) fn tokens(&self, text: &str, source: TemplateSource) -> Result<Vec<Token>, EngineError> {
        let special = matches!(source, TemplateSource::ModelFile | TemplateSource::FallbackChatml);
        let model = &self.context.model;
        let mut tokens = model
            .tokenize(text, special)
            .ok_or_else(|| EngineError::Invalid("the prompt could not be turned into tokens".into()))?;
        // Some templates write the begin token that the tokenizer adds, too.
        if let Some(begin) = model.begin_token()
            && tokens.starts_with(&[begin, begin])
        {
            tokens.remove(0);
        }
        if tokens.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        Ok(tokens)
    }
}

fn turns(messages: &[Message]) -> Result<Vec<(CString, CString)>, EngineError> {
    messages
        .iter()
        .map(|message| {
            let content = CString::new(message.content.as_str())
                .map_err(|_| EngineError::Invalid("a message contains a NUL character".into()))?;
            let role = CString::new(message.role.name()).unwrap_or_default();
            Ok((role, content))
        })
        .collect()
}

/// For base models: they continue text, so they get the text alone.
fn plain(messages: &[Message]) -> String {
    messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketbench_domain::generate::Role;

    #[test]
    fn base_models_get_contents_only() {
        let message = |role, content: &str| Message { role, content: content.into() };
        assert_eq!(plain(&[message(Role::System, "Be brief."), message(Role::User, "Hello")]), "Be brief.\n\nHello");
    }
}
