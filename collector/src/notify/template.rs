//! A webhook's body in a form of the operator's: a file in the language of Jinja, filled with the fields of the documented JSON.
//!
//! It is tried with every sample and every kind of message before the collector takes it, so that a name that is not there and a
//! body that is no JSON are found at the start, and not by the first alert.

use std::path::Path;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use model::alert::Message;
use serde_json::Value as Json;

use super::sample::{KINDS, SAMPLES};
use super::told::told;
use super::{SecretError, Sending};

/// More steps than any message takes: what would go on for ever ends here.
const MAX_STEPS: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Template {
    engine: Environment<'static>,
    /// The path of its file; errors name it, with the line.
    name: String,
    is_json: bool,
}

impl Template {
    pub(super) fn read(
        path: &Path,
        content_type: &str,
        receiver: &str,
    ) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path).map_err(|source| SecretError::Read {
            receiver: receiver.to_owned(),
            key: "template",
            path: path.to_owned(),
            source,
        })?;
        let name = path.display().to_string();
        Self::new(name, text, content_type).map_err(|why| SecretError::Template {
            receiver: receiver.to_owned(),
            why,
        })
    }

    fn new(name: String, text: String, content_type: &str) -> Result<Self, String> {
        let media_type = content_type.split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let is_json = media_type == "application/json" || media_type.ends_with("+json");
        let is_html = media_type == "text/html" || media_type.ends_with("+xml");
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(MAX_STEPS));
        engine.set_auto_escape_callback(move |_| match () {
            () if is_json => AutoEscape::Json,
            () if is_html => AutoEscape::Html,
            () => AutoEscape::None,
        });
        engine
            .add_template_owned(name.clone(), text)
            .map_err(|error| error.to_string())?;
        let template = Self {
            engine,
            name,
            is_json,
        };
        template.try_all()?;
        Ok(template)
    }

    /// The body. A field that is not there, and anything else that is wrong with it, is an error in words.
    pub(super) fn fill(&self, told: &Json) -> Result<String, String> {
        let template = self.engine.get_template(&self.name);
        let body = template
            .and_then(|template| template.render(Serde(told)))
            .map_err(|error| error.to_string())?;
        if self.is_json
            && let Err(error) = serde_json::from_str::<Json>(&body)
        {
            return Err(format!(
                "what {} makes is no JSON: {error}. {{{{ headline }}}} stands there with its quotes already; two texts are one by ~",
                self.name
            ));
        }
        Ok(body)
    }

    fn try_all(&self) -> Result<(), String> {
        for (_, sample) in SAMPLES {
            for kind in KINDS {
                let whole = Message { kind, ..sample() };
                // Of some incidents nobody knows more than the sentence.
                let bare = Message {
                    quorum: String::new(),
                    evidence: Vec::new(),
                    others: Vec::new(),
                    remedy: String::new(),
                    link: String::new(),
                    ..whole.clone()
                };
                for message in [&whole, &bare] {
                    self.fill(&told(&trial(message)))?;
                }
            }
        }
        Ok(())
    }
}

fn trial(message: &Message) -> Sending<'_> {
    Sending {
        message,
        key: "trial",
        thread: "trial",
        first: None,
        is_recorded: true,
        now_unix_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use model::alert::Kind;

    use crate::notify::testing::{message, sending};

    use super::*;

    fn made(text: &str, content_type: &str) -> Result<String, String> {
        let template = Template::new("sms.json".to_owned(), text.to_owned(), content_type)?;
        template.fill(&told(&sending(&message(Kind::Opened), None)))
    }

    #[test]
    fn values_stand_in_json_with_their_quotes() {
        let text = r#"{"text": {{ headline ~ " (" ~ quorum ~ ")" }}, "seen": {{ evidence }}, "loud": {{ incident.severity == "critical" }}}"#;
        let body = made(text, "application/json; charset=utf-8").unwrap();
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(body["loud"], true);
        assert_eq!(body["seen"][0], "pve-01: eno2: no carrier, 4 s ago");
        let text = body["text"].as_str().unwrap();
        assert!(
            text.ends_with("(8 of 8 votes, 5 needed, margin 3)"),
            "{text}"
        );
    }

    #[test]
    fn what_others_wrote_stays_text_in_json_and_html() {
        let evil = Message {
            sentence: "\", \"admin\": true, \"<b>&".to_owned(),
            ..message(Kind::Opened)
        };
        let told = told(&sending(&evil, None));
        let fill = |text: &str, content_type| {
            let template = Template::new("t".to_owned(), text.to_owned(), content_type).unwrap();
            template.fill(&told).unwrap()
        };
        for json in [
            "application/json",
            "Application/JSON",
            "application/vnd.api+json",
        ] {
            let json = fill(r#"{"text": {{ incident.sentence }}}"#, json);
            let json: Json = serde_json::from_str(&json).unwrap();
            assert_eq!(json, serde_json::json!({"text": evil.sentence}));
        }
        let html = fill("<p>{{ incident.sentence }}</p>", "text/html");
        assert!(html.contains("&lt;b&gt;&amp;"), "{html}");
        let form = fill(
            "text={{ incident.sentence|urlencode }}",
            "application/x-www-form-urlencoded",
        );
        assert!(form.ends_with("%3Cb%3E%26"), "{form}");
    }

    #[test]
    fn mistakes_are_found_before_it_is_taken() {
        let json = "application/json";
        for (text, why) in [
            ("{\n{{ headlin }}", "undefined value (in sms.json:2)"),
            ("{{ headline ", "syntax error"),
            (
                r#"{"text": "{{ headline }}"}"#,
                "what sms.json makes is no JSON",
            ),
            (
                r#"{"first": {{ evidence[0] }}}"#,
                "undefined value (in sms.json:1)",
            ),
            (
                "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
                "fuel",
            ),
        ] {
            let error = made(text, json).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
