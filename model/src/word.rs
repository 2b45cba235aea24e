//! Words of the kernel, corosync and Proxmox VE, as enums that never refuse a newer version's word.

/// Declares an enum of known words with `Other(String)` for all that is not known, read from and written as text.
/// Reading ignores the case of letters; writing uses the spelling given here.
macro_rules! words {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal $(| $also:literal)*),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know, as it was written.
            Other(String),
        }

        impl $name {
            /// Every word is taken; one that is not known becomes `Other`.
            pub fn from_word(word: &str) -> Self {
                $(
                    if word.eq_ignore_ascii_case($word) $(|| word.eq_ignore_ascii_case($also))* {
                        return Self::$variant;
                    }
                )+
                Self::Other(word.to_owned())
            }

            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from_word(&word)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    words! {
        pub enum Light { Red = "red", Green = "green" | "verde" }
    }

    #[test]
    fn an_unknown_word_is_kept_as_it_was_written() {
        assert_eq!(Light::from_word("RED"), Light::Red);
        assert_eq!(Light::from_word("verde"), Light::Green);
        assert_eq!(
            Light::from_word("Ultraviolet"),
            Light::Other("Ultraviolet".into())
        );
        assert_eq!(
            serde_json::to_string(&Light::from_word("Mauve")).unwrap(),
            "\"Mauve\""
        );
        assert_eq!(
            serde_json::from_str::<Light>("\"green\"").unwrap(),
            Light::Green
        );
    }
}
