//! Who may come in: the token, and requests that another web site makes with the visitor's browser.

use super::hub::Refusal;
use crate::error::{Error, Result};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use subtle::ConstantTimeEq;

/// Letters that are not taken for others: 32, so that each is 5 random bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 100 bits.
const MADE: usize = 20;
/// A token of the user's. A shorter one can be tried out.
const SHORTEST: usize = 12;
const LONGEST: usize = 200;

/// Sent with every answer: nothing from elsewhere is run or shown, nobody frames the page, nothing is kept or passed on.
const SECURITY: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()",
    ),
];

/// What whoever comes in has to know. Its text is not in its `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// # Errors
    /// [`Error::Device`] where the system has no random numbers.
    pub fn made() -> Result<Token> {
        let mut random = [0; MADE];
        getrandom::fill(&mut random).map_err(|error| Error::device("random numbers", error))?;
        Ok(Token(random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()))
    }

    /// One of the user's: letters, digits and `-._~`, which pass through addresses and cookies as they are.
    ///
    /// # Errors
    /// [`Error::Input`] with what is wrong. It does not repeat the token.
    pub fn given(text: &str) -> Result<Token> {
        let refuse = |reason: &str| Err(Error::input("the token", reason));
        match text.len() {
            0..SHORTEST => return refuse("is too short; it needs 12 characters at least, so that nobody tries it out"),
            SHORTEST..=LONGEST => {}
            _ => return refuse("is too long; it has 200 characters at most"),
        }
        match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            true => Ok(Token(text.to_owned())),
            false => refuse("may have letters, digits and -._~"),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In a time that does not depend on how much of it is right.
    fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

/// A name that nobody else has, in hexadecimal.
pub(super) fn random_name() -> String {
    let mut random = [0; 8];
    // It only tells runs apart: the clock will do.
    if getrandom::fill(&mut random).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        random = (now.as_nanos() as u64).to_be_bytes();
    }
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What requests are held against.
pub(super) struct Door {
    token: Option<Token>,
    /// Names by which the machine may be called, in lower case.
    names: Vec<String>,
}

impl Door {
    pub fn new(token: Option<Token>, names: &[String]) -> Door {
        let own = gethostname::gethostname().to_string_lossy().to_lowercase();
        let first = own.split('.').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = names.iter().map(|name| name.trim_end_matches('.').to_lowercase()).collect();
        names.extend(["localhost".to_owned(), format!("{first}.local"), first, own]);
        names.retain(|name| !name.is_empty());
        Door { token, names }
    }

    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Refuses what comes under a name that is not the machine's, and what another site's page asks for.
    ///
    /// An address in numbers is always taken for the machine's own: its addresses change while it runs, and a name that
    /// leads elsewhere today and here tomorrow, which is how a foreign page would get in, is no number.
    pub fn admit(&self, parts: &Parts) -> std::result::Result<(), Refusal> {
        let host = host(parts)?;
        let name = name(host).ok_or_else(|| Refusal::new(400, "the Host field is not one"))?;
        if !self.knows(&name) {
            let advice = "use its address in numbers, or start it with --serve-name and this name";
            return Err(Refusal::new(421, format!("this board is not called {name}; {advice}")));
        }
        let foreign = || Refusal::new(403, "this is a request of another web site");
        if let Some(origin) = single(&parts.headers, &header::ORIGIN)? {
            let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if !own.is_some_and(|own| own.eq_ignore_ascii_case(host)) {
                return Err(foreign());
            }
        }
        // What browsers say themselves, and pages cannot change.
        let fetched = |name: &'static str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        match fetched("sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            // A link on another page may lead here.
            Some(_) if parts.method == Method::GET && fetched("sec-fetch-mode") == Some("navigate") => Ok(()),
            Some(_) => Err(foreign()),
        }
    }

    fn knows(&self, name: &str) -> bool {
        let number = name.trim_start_matches('[').trim_end_matches(']');
        number.parse::<IpAddr>().is_ok() || self.names.iter().any(|own| own == name)
    }

    /// Whether a request has the token, where one is needed.
    pub fn opens(&self, parts: &Parts) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer =
            bearer.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let cookie = cookie_name(parts);
        let cookies = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let query = asked(parts).filter(|_| parts.method == Method::GET || parts.method == Method::HEAD);
        bearer.map(|(_, given)| given.trim()).is_some_and(|given| token.is(given))
            || cookies.filter(|(name, _)| *name == cookie).any(|(_, given)| token.is(given))
            || query.is_some_and(|given| token.is(given))
    }

    /// The cookie that is the token from now on.
    pub fn cookie(&self, parts: &Parts) -> Option<HeaderValue> {
        let token = self.token.as_ref()?.as_str();
        // A proxy that has TLS in front says so; whoever lies about it only harms himself.
        let proto = parts.headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        let secure = if proto == Some("https") { "; Secure" } else { "" };
        let name = cookie_name(parts);
        HeaderValue::from_str(&format!("{name}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict{secure}"))
            .ok()
    }
}

/// The token behind the address.
pub(super) fn asked(parts: &Parts) -> Option<&str> {
    parts.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))
}

/// Cookies do not tell ports apart; two boards behind one address would take each other's.
fn cookie_name(parts: &Parts) -> String {
    let port = host(parts).ok().and_then(|host| host.rsplit_once(':')).map(|(_, port)| port);
    let port = port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or("gradcam".to_owned(), |port| format!("gradcam-{port}"))
}

/// What the client calls this machine, with the port.
fn host(parts: &Parts) -> std::result::Result<&str, Refusal> {
    let field = single(&parts.headers, &header::HOST)?;
    // A full address in the first line stands above the field, and a proxy's may differ.
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    match (authority, field) {
        (Some(authority), Some(field)) if authority != field => Err(Refusal::new(400, "two names for this board")),
        (authority, field) => authority.or(field).ok_or_else(|| Refusal::new(400, "the Host field is missing")),
    }
}

/// The name without the port, in lower case; of an IPv6 address with its brackets.
fn name(host: &str) -> Option<String> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (number, port) = rest.split_once(']')?;
            number.parse::<Ipv6Addr>().ok()?;
            (&host[..number.len() + 2], port)
        }
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let usable = !name.is_empty() && name.bytes().all(plain) && port.bytes().all(|byte| byte.is_ascii_digit());
    usable.then(|| name.trim_end_matches('.').to_lowercase())
}

/// A field that may be there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> std::result::Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Refusal::new(400, format!("the field {name} is there twice")));
    }
    let text =
        |value: &'a HeaderValue| value.to_str().map_err(|_| Refusal::new(400, format!("the field {name} is no text")));
    first.map(text).transpose()
}

/// Adds what protects the page to an answer.
pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/control");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).expect("it is a request").into_parts().0
    }

    #[test]
    fn names_that_are_not_the_boards_are_refused() {
        let door = Door::new(None, &["Board.Example.".to_owned()]);
        for host in
            ["127.0.0.1:4912", "[::1]:4912", "localhost", "LOCALHOST:1", "board.example", "10.1.2.3", "localhost."]
        {
            assert_eq!(door.admit(&parts(&[("host", host)])), Ok(()), "{host}");
        }
        for (host, status) in [
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("localhost.evil.example:4912", 421),
            ("::1", 400),
            ("[evil.example]", 400),
            ("localhost:4912/x", 400),
            ("user@localhost", 400),
            ("", 400),
        ] {
            assert_eq!(door.admit(&parts(&[("host", host)])).expect_err(host).status, status, "{host}");
        }
        assert_eq!(door.admit(&parts(&[])).expect_err("it has no Host").status, 400);
        let twice = parts(&[("host", "localhost"), ("host", "localhost")]);
        assert_eq!(door.admit(&twice).expect_err("it has two").status, 400);
    }

    #[test]
    fn a_request_of_another_site_is_refused() {
        let door = Door::new(None, &[]);
        let host = ("host", "localhost:4912");
        for origin in ["http://localhost:4912", "https://LOCALHOST:4912"] {
            assert_eq!(door.admit(&parts(&[host, ("origin", origin)])), Ok(()), "{origin}");
        }
        let foreign = ["http://evil.example", "null", "http://localhost:80", "http://localhost", "localhost:4912", ""];
        for origin in foreign {
            let refused = door.admit(&parts(&[host, ("origin", origin)])).expect_err(origin);
            assert_eq!(refused.status, 403, "{origin}");
        }
        for site in ["cross-site", "same-site", "anything"] {
            assert_eq!(door.admit(&parts(&[host, ("sec-fetch-site", site)])).expect_err(site).status, 403);
        }
        assert_eq!(door.admit(&parts(&[host, ("sec-fetch-site", "same-origin")])), Ok(()));
    }

    #[test]
    fn the_token_comes_by_cookie_or_field() {
        let token = Token::made().expect("there are random numbers");
        let door = Door::new(Some(token.clone()), &[]);
        let host = ("host", "board:4912");
        let text = token.as_str();
        let (cookie, bearer) = (format!("a=b; gradcam-4912={text}"), format!("Bearer {text}"));
        assert!(door.opens(&parts(&[host, ("cookie", &cookie)])));
        assert!(door.opens(&parts(&[host, ("authorization", &bearer)])));
        let (other, near) = (format!("gradcam-4913={text}"), format!("Bearer {}", &text[1..]));
        assert!(!door.opens(&parts(&[host, ("cookie", &other)])), "the cookie of another port");
        assert!(!door.opens(&parts(&[host, ("authorization", &near)])));
        assert!(!door.opens(&parts(&[host])));
        assert!(Token::given(text).is_ok_and(|given| given == token));
        for wrong in ["", "short", "with blanks in it", "with;semicolon", &"x".repeat(201)] {
            assert!(Token::given(wrong).is_err(), "{wrong}");
        }
    }
}
