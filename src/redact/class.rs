//! What was found: the classes of personal data, and how often each occurred.
//!
//! The order of the classes decides where two matches overlap: the text is covered once, under the first class.

/// A class of personal data or of secrets; its name stands in the placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A private key in PEM.
    PrivateKey,
    /// A JSON web token.
    Jwt,
    /// The password in a URL's `user:password@`.
    UrlCredentials,
    /// A key or secret of a service.
    ApiKey,
    /// A bearer token.
    BearerToken,
    /// User and password of HTTP's basic authorization.
    BasicAuth,
    /// A password by its name.
    Password,
    /// A cookie.
    SessionCookie,
    /// A value of a header map, whatever it is.
    Header,
    /// An e-mail address.
    Email,
    /// An international bank account number.
    Iban,
    /// A payment card number.
    CreditCard,
    /// A US social security number.
    UsSsn,
    /// A telephone number.
    Phone,
}

impl Class {
    /// All classes, the one that wins an overlap first.
    pub const ALL: [Self; 14] = [
        Self::PrivateKey,
        Self::Jwt,
        Self::UrlCredentials,
        Self::ApiKey,
        Self::BearerToken,
        Self::BasicAuth,
        Self::Password,
        Self::SessionCookie,
        Self::Header,
        Self::Email,
        Self::Iban,
        Self::CreditCard,
        Self::UsSsn,
        Self::Phone,
    ];

    /// Returns the name, as in metrics and placeholders.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private_key",
            Self::Jwt => "jwt",
            Self::UrlCredentials => "url_credentials",
            Self::ApiKey => "api_key",
            Self::BearerToken => "bearer_token",
            Self::BasicAuth => "basic_auth",
            Self::Password => "password",
            Self::SessionCookie => "session_cookie",
            Self::Header => "header",
            Self::Email => "email",
            Self::Iban => "iban",
            Self::CreditCard => "credit_card",
            Self::UsSsn => "us_ssn",
            Self::Phone => "phone",
        }
    }

    /// Appends what stands in the place of a value: `[REDACTED:<class>]`.
    pub(super) fn write_placeholder(self, out: &mut String) {
        out.push_str(PLACEHOLDER);
        out.push_str(self.name());
        out.push(']');
    }

    /// Returns what stands in the place of a value.
    pub(super) fn placeholder(self) -> String {
        let mut out = String::with_capacity(32);
        self.write_placeholder(&mut out);
        out
    }
}

/// How a placeholder begins.
pub(super) const PLACEHOLDER: &str = "[REDACTED:";

/// How many values of each class were replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Class::ALL.len()]);

impl Counts {
    /// Returns the count of a class.
    pub fn get(&self, class: Class) -> u64 {
        self.0[class as usize]
    }

    /// Returns the classes that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        Class::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }

    /// Returns the count of all classes together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts one more.
    pub(super) fn add(&mut self, class: Class) {
        self.0[class as usize] += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
