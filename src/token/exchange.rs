//! One fetch, from the files that prove who we are to the grant: which way of authenticating is tried, which secret, where,
//! and what is remembered of it for the next time.
//!
//! It blocks, and so runs on a thread of its own; when to fetch is [`super::lifecycle`]'s question.

use crate::base::{ClientCertificate, Clock, Moment, Secret};
use crate::config::model::{Assertion, ClientAuth, Credential, Revocation, SecretMethod, TokenEndpoint};
use crate::token::answer::{self, Grant, TokenType};
use crate::token::assertion;
use crate::token::client::{Answer, HttpClient};
use crate::token::discovery::{self, Metadata, Wanted};
use crate::token::dpop::{DpopKey, Nonce};
use crate::token::error::FetchError;
use crate::token::material::{Material, TlsFiles};
use crate::token::request::{Proof, TokenRequest};
use log::warn;
use std::sync::Arc;
use std::time::Instant;
use url::Url;

/// A grant and what is needed to use it.
#[derive(Debug)]
pub struct Fetched {
    /// What the server granted.
    pub grant: Grant,
    /// Before the request was sent: lifetimes count from here.
    pub requested_at: Moment,
    /// The certificate that was shown.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// How the client authenticated, in the words of `client_auth`.
    pub method: &'static str,
}

/// Whoever can fetch a token: the authorization server's client, or a test's stand-in.
pub trait Fetch: Send + 'static {
    /// Asks for a token. May block, and may ask several times.
    ///
    /// # Errors
    /// Why there is none.
    fn fetch(&mut self) -> Result<Fetched, FetchError>;

    /// Whether what the client proves itself with is another than at the last fetch. May block.
    fn has_new_material(&self) -> bool;

    /// Gives a token back. May block.
    ///
    /// # Errors
    /// Why that did not work.
    fn revoke(&mut self, token: &Secret) -> Result<(), FetchError>;
}

/// The client of one credential, with what it remembers between two fetches.
pub struct Exchange {
    credential: Arc<Credential>,
    clock: Arc<dyn Clock>,
    /// Made anew when the files of `tls` change.
    client: Option<(TlsFiles, HttpClient)>,
    /// With the time until which it is used without asking again.
    metadata: Option<(Metadata, Instant)>,
    dpop: Option<Arc<DpopKey>>,
    /// The server's own: one that an upstream gave, even at the same origin, would be an error here.
    nonce: Nonce,
    /// What worked last, and whether anything has.
    way: Way,
    way_works: bool,
    /// What the last fetch proved itself with.
    last: Option<Material>,
}

/// Which secret goes where, for clients that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    in_header: bool,
    secret: usize,
}

/// Where to ask.
struct Endpoint {
    url: Url,
    /// What an assertion is meant for.
    server: String,
}

impl Exchange {
    /// The client of a credential. `dpop` is the key that its tokens are bound to, if they are.
    #[must_use]
    pub fn new(credential: Arc<Credential>, dpop: Option<Arc<DpopKey>>, clock: Arc<dyn Clock>) -> Self {
        let in_header = !matches!(&credential.client_auth, ClientAuth::Secret { method: SecretMethod::Post, .. });
        Self {
            credential,
            clock,
            client: None,
            metadata: None,
            dpop,
            nonce: Nonce::default(),
            way: Way { in_header, secret: 0 },
            way_works: false,
            last: None,
        }
    }

    /// The ways to try, the one that worked last first. A way of authenticating that has worked is not doubted again; a
    /// secret may always have been changed for the other.
    fn ways(&self, secrets: usize) -> Vec<Way> {
        let probes = matches!(&self.credential.client_auth, ClientAuth::Secret { method: SecretMethod::Auto, .. });
        let other_secret = usize::from(self.way.secret == 0);
        let mut ways = Vec::new();
        // Without a secret there is one way, too.
        for secret in [self.way.secret, other_secret].into_iter().take(secrets.max(1)) {
            ways.push(Way { secret, ..self.way });
            if probes && !self.way_works {
                ways.push(Way { secret, in_header: !self.way.in_header });
            }
        }
        ways
    }

    fn fetch_with(&mut self, material: &Material) -> Result<Fetched, FetchError> {
        self.prepare(material)?;
        let endpoint = self.endpoint()?;
        let mut refusal = None;
        for way in self.ways(material.secrets.len()) {
            match self.ask(&endpoint, material, way) {
                Ok(fetched) => {
                    if self.way.secret != way.secret {
                        let which = if way.secret == 0 { "first" } else { "second" };
                        warn!("of client `{}`, the {which} secret is the valid one now", self.credential.client_id);
                    }
                    (self.way, self.way_works) = (way, true);
                    return Ok(fetched);
                }
                // If the server knows the client no way, the refusal to report is that of the way that is tried first.
                Err(error) if error.is_client_unknown() => drop(refusal.get_or_insert(error)),
                Err(error) => {
                    self.forget_endpoint(&error);
                    return Err(error);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| FetchError::Material("there is no secret".to_owned())))
    }

    /// Makes the HTTP client, again when its certificates have changed.
    fn prepare(&mut self, material: &Material) -> Result<(), FetchError> {
        if !self.client.as_ref().is_some_and(|(files, _)| *files == material.tls) {
            let client = HttpClient::new(&self.credential.transport, &material.tls, self.credential.timeout)?;
            self.client = Some((material.tls.clone(), client));
        }
        Ok(())
    }

    fn http(&self) -> Result<&HttpClient, FetchError> {
        self.client.as_ref().map(|(_, client)| client).ok_or(FetchError::Panicked)
    }

    fn endpoint(&mut self) -> Result<Endpoint, FetchError> {
        match &self.credential.endpoint {
            TokenEndpoint::Url { text, url } => Ok(Endpoint { url: url.clone(), server: text.clone() }),
            TokenEndpoint::Issuer { text, .. } => {
                let server = text.clone();
                Ok(Endpoint { url: self.discovered()?.token_endpoint, server })
            }
        }
    }

    /// The issuer's metadata, a day old at the most; older if it cannot be had anew.
    fn discovered(&mut self) -> Result<Metadata, FetchError> {
        let TokenEndpoint::Issuer { text, url, insecure } = &self.credential.endpoint else {
            return Err(FetchError::Metadata("there is no issuer"));
        };
        let now = self.clock.now().instant;
        let known = self.metadata.clone();
        if let Some((metadata, until)) = &known
            && now < *until
        {
            return Ok(metadata.clone());
        }
        let with_certificate = self.credential.transport.client_certificate.is_some();
        let wanted = Wanted { issuer: text, url, insecure: *insecure, with_certificate };
        let (metadata, for_how_long) = match (discovery::discover(self.http()?, wanted), known) {
            (Ok(metadata), _) => (metadata, discovery::FRESH),
            (Err(_), Some((metadata, _))) => (metadata, discovery::RETRY),
            (Err(error), None) => return Err(error),
        };
        self.metadata = now.checked_add(for_how_long).map(|until| (metadata.clone(), until));
        Ok(metadata)
    }

    /// An endpoint that is not there any more may have moved.
    fn forget_endpoint(&mut self, error: &FetchError) {
        if matches!(error, FetchError::Status { status: 404 | 405 | 410, .. } | FetchError::Redirect(_)) {
            self.metadata = None;
        }
    }

    fn ask(&self, endpoint: &Endpoint, material: &Material, way: Way) -> Result<Fetched, FetchError> {
        let wanted = if self.dpop.is_some() { TokenType::Dpop } else { TokenType::Bearer };
        let requested_at = self.clock.now();
        // An assertion is for one request only.
        let request = || {
            let assertion = self.assertion(endpoint, material, way, self.clock.now())?;
            let request = TokenRequest::token(&self.credential, self.proof(material, way, assertion.as_ref())?);
            self.send(&endpoint.url, &request)
        };
        let read = |answer: &Answer| answer::read(answer.status, answer.retry_after, &answer.body, wanted);
        let answer = request()?;
        let grant = match read(&answer) {
            // RFC 9449 §8: once more with the nonce that the server just gave.
            Err(error) if self.dpop.is_some() && answer.dpop_nonce.is_some() && error.wants_nonce() => {
                read(&request()?)
            }
            result => result,
        }?;
        let certificate = self.http()?.certificate.clone();
        Ok(Fetched { grant, requested_at, certificate, method: self.method(way) })
    }

    fn method(&self, way: Way) -> &'static str {
        match &self.credential.client_auth {
            ClientAuth::Secret { .. } if way.in_header => "client_secret_basic",
            ClientAuth::Secret { .. } | ClientAuth::InParams => "client_secret_post",
            ClientAuth::Assertion(Assertion::Secret { .. }) => "client_secret_jwt",
            ClientAuth::Assertion(_) => "private_key_jwt",
            ClientAuth::Certificate => "tls_client_auth",
            ClientAuth::None => "none",
        }
    }

    fn assertion(
        &self,
        endpoint: &Endpoint,
        material: &Material,
        way: Way,
        now: Moment,
    ) -> Result<Option<Secret>, FetchError> {
        let ClientAuth::Assertion(assertion) = &self.credential.client_auth else { return Ok(None) };
        assertion::make(assertion, &self.credential, material, way.secret, &endpoint.server, now.wall).map(Some)
    }

    fn proof<'a>(
        &self,
        material: &'a Material,
        way: Way,
        assertion: Option<&'a Secret>,
    ) -> Result<Proof<'a>, FetchError> {
        let absent = || FetchError::Material("there is no secret".to_owned());
        let secret = || material.secrets.get(way.secret).ok_or_else(absent);
        match &self.credential.client_auth {
            ClientAuth::Secret { encoding, .. } if way.in_header => Ok(Proof::Basic(secret()?, *encoding)),
            ClientAuth::Secret { .. } => Ok(Proof::Post(secret()?)),
            ClientAuth::Assertion(_) => assertion.map(Proof::Assertion).ok_or_else(absent),
            ClientAuth::InParams => Ok(Proof::InParams),
            ClientAuth::Certificate | ClientAuth::None => Ok(Proof::NameOnly),
        }
    }

    /// Sends a request with everything that belongs to each: the configured headers, and a proof of possession.
    fn send(&self, url: &Url, request: &TokenRequest) -> Result<Answer, FetchError> {
        let proof = self.dpop.as_ref().map(|key| self.dpop_proof(key, url)).transpose()?;
        let configured = self.credential.request_headers.iter().map(|(name, value)| (name.as_str(), value.expose()));
        let headers = configured
            .chain([("Content-Type", request.content_type)])
            .chain(request.authorization.as_ref().map(|value| ("Authorization", value.expose())))
            .chain(proof.as_ref().map(|proof| ("DPoP", proof.expose())));
        let answer = self.http()?.post(url, headers, &request.body)?;
        if let Some(nonce) = &answer.dpop_nonce {
            self.nonce.keep(nonce);
        }
        Ok(answer)
    }

    fn dpop_proof(&self, key: &DpopKey, url: &Url) -> Result<Secret, FetchError> {
        // RFC 9449 §4.2: without query and fragment.
        let mut htu = url.clone();
        htu.set_query(None);
        key.proof("POST", htu.as_str(), None, &self.nonce, self.clock.now().wall)
            .ok_or_else(|| FetchError::Material("no DPoP proof: signing failed".to_owned()))
    }

    fn revocation_endpoint(&mut self) -> Result<Url, FetchError> {
        match &self.credential.revocation {
            Some(Revocation::Url(url)) => Ok(url.clone()),
            Some(Revocation::Discovered) => {
                let absent = FetchError::Metadata("the metadata has no `revocation_endpoint`");
                self.discovered()?.revocation_endpoint.ok_or(absent)
            }
            None => Err(FetchError::Metadata("revocation is not configured")),
        }
    }
}

impl Fetch for Exchange {
    fn fetch(&mut self) -> Result<Fetched, FetchError> {
        // Should it be unreadable now, then whatever can be read later is new.
        self.last = None;
        let material = Material::read(&self.credential)?;
        let result = self.fetch_with(&material);
        let refused = result.as_ref().is_err_and(FetchError::is_refusal);
        self.last = Some(material);
        // A file may have been replaced between our reading and the server's refusal.
        if refused && self.has_new_material() {
            let material = Material::read(&self.credential)?;
            let result = self.fetch_with(&material);
            self.last = Some(material);
            return result;
        }
        result
    }

    fn has_new_material(&self) -> bool {
        // What cannot be read now is no reason to ask the server again.
        Material::read(&self.credential).is_ok_and(|material| self.last.as_ref() != Some(&material))
    }

    fn revoke(&mut self, token: &Secret) -> Result<(), FetchError> {
        let material = Material::read(&self.credential)?;
        self.prepare(&material)?;
        let url = self.revocation_endpoint()?;
        let endpoint = self.endpoint()?;
        let assertion = self.assertion(&endpoint, &material, self.way, self.clock.now())?;
        let proof = self.proof(&material, self.way, assertion.as_ref())?;
        let request = TokenRequest::revocation(&self.credential, proof, token);
        let answer = self.send(&url, &request)?;
        match answer.status {
            200..=299 => Ok(()),
            // Only for its words: a refusal of a revocation has the form of a refused grant (RFC 7009 §2.2.1).
            status => answer::read(status, answer.retry_after, &answer.body, TokenType::Bearer).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;
    use crate::base::jws::Algorithm;
    use crate::config::model::{BasicEncoding, SecretSource};
    use crate::token::testing::{credential, with_secret};
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    fn exchange(auth: ClientAuth) -> Exchange {
        let mut credential = credential();
        credential.client_auth = auth;
        Exchange::new(Arc::new(credential), None, Arc::new(SystemClock))
    }

    fn ways(exchange: &Exchange, secrets: usize) -> Vec<(bool, usize)> {
        exchange.ways(secrets).iter().map(|way| (way.in_header, way.secret)).collect()
    }

    #[test]
    fn only_auto_probes_and_only_until_something_has_worked() {
        let mut auto = exchange(with_secret(SecretMethod::Auto, BasicEncoding::Rfc6749));
        assert_eq!(ways(&auto, 1), [(true, 0), (false, 0)]);
        assert_eq!(ways(&auto, 2), [(true, 0), (false, 0), (true, 1), (false, 1)]);
        (auto.way, auto.way_works) = (Way { in_header: false, secret: 1 }, true);
        assert_eq!(ways(&auto, 2), [(false, 1), (false, 0)]);
        assert_eq!(ways(&exchange(with_secret(SecretMethod::Basic, BasicEncoding::Raw)), 1), [(true, 0)]);
        assert_eq!(ways(&exchange(with_secret(SecretMethod::Post, BasicEncoding::Rfc6749)), 1), [(false, 0)]);
    }

    #[test]
    fn a_file_that_is_back_with_the_same_secret_is_new_material() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "s").expect("written");
        let mut auth = with_secret(SecretMethod::Auto, BasicEncoding::Rfc6749);
        if let ClientAuth::Secret { secrets, .. } = &mut auth {
            *secrets = vec![SecretSource::File(path.clone())];
        }
        let mut exchange = exchange(auth);
        exchange.last = Some(Material::read(&exchange.credential).expect("readable"));
        assert!(!exchange.has_new_material());
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(exchange.fetch(), Err(FetchError::Material(_))));
        assert!(!exchange.has_new_material(), "what cannot be read is none");
        std::fs::write(&path, "s").expect("written");
        assert!(exchange.has_new_material());
    }

    #[test]
    fn a_client_without_secret_has_one_way() {
        assert_eq!(ways(&exchange(ClientAuth::None), 0).len(), 1);
        let secrets = vec![SecretSource::Text(Secret::new("a")), SecretSource::Text(Secret::new("b"))];
        let assertion = Assertion::Secret { secrets, algorithm: Algorithm::Hs256, audience: None };
        assert_eq!(ways(&exchange(ClientAuth::Assertion(assertion)), 2), [(true, 0), (true, 1)]);
    }

    /// A clock that is turned by hand.
    struct Hand(Moment, Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Moment {
            let passed = *self.1.lock().expect("no panic");
            Moment { instant: self.0.instant + passed, wall: self.0.wall + passed }
        }
    }

    /// Reads a request and answers it: metadata while it is up, and always a token.
    fn answer(stream: &TcpStream, origin: &str, up: bool) -> io::Result<bool> {
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {
            let last = head.trim_end().rsplit('\n').next().unwrap_or_default().to_ascii_lowercase();
            length = last.strip_prefix("content-length: ").map_or(length, |text| text.parse().expect("a number"));
        }
        reader.read_exact(&mut vec![0; length])?;
        let is_metadata = head.starts_with("GET");
        let (status, body) = match (is_metadata, up) {
            (true, true) => ("200 OK", format!(r#"{{"issuer":"{origin}","token_endpoint":"{origin}/token"}}"#)),
            (true, false) => ("500 Oops", String::new()),
            (false, _) => ("200 OK", r#"{"access_token":"t"}"#.to_owned()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        (&*stream).write_all(format!("{head}{body}").as_bytes())?;
        Ok(is_metadata)
    }

    #[test]
    fn metadata_serves_a_day_and_longer_while_it_cannot_be_had_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let (up, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        // Six token requests and four for metadata.
        let server = thread::spawn({
            let (origin, up, asked) = (origin.clone(), up.clone(), asked.clone());
            move || {
                for stream in listener.incoming().take(10).flatten() {
                    if answer(&stream, &origin, up.load(Ordering::SeqCst)).unwrap_or_default() {
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        let clock = Arc::new(Hand(Moment::now(), Mutex::default()));
        let mut credential = credential();
        let url = Url::parse(&origin).expect("a URL");
        credential.endpoint = TokenEndpoint::Issuer { text: origin, url, insecure: false };
        let mut exchange = Exchange::new(Arc::new(credential), None, clock.clone());
        let mut asked_after = |passed: Duration| {
            *clock.1.lock().expect("no panic") += passed;
            exchange.fetch().expect("a token");
            asked.swap(0, Ordering::SeqCst)
        };
        let minute = Duration::from_secs(60);
        assert_eq!(asked_after(Duration::ZERO), 1);
        assert_eq!(asked_after(discovery::FRESH.saturating_sub(minute)), 0);
        up.store(false, Ordering::SeqCst);
        assert_eq!(asked_after(minute), 2, "in both places");
        assert_eq!(asked_after(minute), 0, "and then not for a while");
        up.store(true, Ordering::SeqCst);
        assert_eq!(asked_after(discovery::RETRY), 1);
        assert_eq!(asked_after(minute), 0);
        server.join().expect("no panic");
    }
}
