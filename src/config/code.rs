//! The stable codes of diagnostics. A code keeps its meaning for ever; a new kind of problem gets a new one.

/// `E0xx` for errors, `W0xx` for warnings.
pub type Code = &'static str;

macro_rules! codes {
    ($($name:ident = $code:literal: $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: Code = $code;)*

        #[cfg(test)]
        const CODES: &[(Code, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    UNREADABLE = "E001": "the file cannot be read";
    FORMAT = "E002": "the file name says neither JSON nor YAML";
    SYNTAX = "E003": "the text is not JSON or YAML";
    DUPLICATE_KEY = "E004": "a key is written twice";
    INTERPOLATION = "E005": "a `${env:…}` or `${file:…}` cannot be filled in";
    OVERRIDE = "E006": "a `KRAKEND_…` variable holds a value that does not fit";
    TYPE = "E007": "the value has the wrong type";
    MISSING = "E008": "a required key is missing";
    VALUE = "E009": "the value is not allowed";
    VERSION = "E010": "the version of the configuration format is not 3";
    UNKNOWN_KEY = "E011": "a namespace has no such key";
    NOT_BUILT = "E012": "known, but not built yet";
    REFUSED = "E013": "porteur will not do this";
    UNKNOWN_NAMESPACE = "E014": "there is no such namespace";
    WRONG_LEVEL = "E015": "the namespace belongs elsewhere";
    OPTION = "E016": "a command line option cannot be honoured";
    ENDPOINT = "E017": "the path of an endpoint is not valid";
    HOST = "E018": "a host is not valid";
    URL_PATTERN = "E019": "a `url_pattern` is not valid";
    UNDEFINED_PLACEHOLDER = "E020": "a placeholder of `url_pattern` is not declared by the endpoint";
    DUPLICATE_ROUTE = "E021": "two endpoints have the same method and path";
    CONFLICTING_ROUTE = "E022": "two endpoints cannot be told apart";
    BACKENDS = "E023": "an endpoint does not have exactly one backend";
    EMPTY_CREDENTIAL = "E024": "a client id or secret is empty";
    TOKEN_URL = "E025": "the `token_url` is not safe or not valid";
    DURATION = "E026": "a duration is not valid";
    ENDPOINT_PARAMS = "E027": "`endpoint_params` contradict the rest of the credential";
    FILE = "E028": "a file that a key names cannot be read, or does not hold what it should";
    CONTRADICTION = "E029": "keys of a credential contradict each other";
    CREDENTIAL = "E030": "there is no credential of this name";
    FLATMAP = "E050": "an operation of `flatmap_filter` is not valid";
    PATTERN = "E054": "a regular expression is not valid";
    HEADER_VALUE = "E055": "a text cannot be the value of a header";
    ALLOWED_HOST = "E056": "an allowed host is one that no request can have";
    JSON_SCHEMA = "E057": "a JSON Schema is not valid";
    CEL = "E058": "a CEL expression is not valid";
    FLEXIBLE_FILE = "E040": "a folder or file of the flexible configuration cannot be read";
    TEMPLATE_SYNTAX = "E041": "a template is not valid, or uses what is not supported";
    TEMPLATE_VALUE = "E042": "a template asks for something that its values do not give";
    TEMPLATE_LIMIT = "E043": "rendering a template takes more than it may";
    FC_OUT = "E044": "the rendered configuration cannot be written to `FC_OUT`";
    MODIFIER = "E045": "there is no such modifier";
    ONE_MODIFIER = "E046": "a modifier does not have exactly one name";
    SCOPE = "E047": "a modifier cannot run on the side its scope names";
    PER_REQUEST = "E048": "a `${request.…}` or `${jwt.…}` cannot be filled in";
    FRAMING = "E049": "a modifier would change a header that HTTP itself uses";

    TLS_VERSION = "E070": "a version of TLS is not spoken, or two of them contradict each other";
    CIPHER_SUITE = "E071": "a cipher suite or a curve is not offered";
    LISTENER = "E072": "a listener has no address, or one that is taken";
    NETWORK = "E073": "a network is not valid";
    CLIENT_TLS = "E080": "TLS towards upstreams cannot be what the file asks for";
    WEBSOCKET = "E081": "a WebSocket endpoint is not what porteur can carry";
    HTTP_VERSION = "E082": "a version of HTTP contradicts another setting";

    SERVICE = "E090": "a `host` of a backend with `sd` is not the name of a service";
    TWO_BREAKERS = "E091": "a backend has two circuit breakers";

    IGNORED_KEY = "W001": "an unknown key has no effect";
    NO_EFFECT = "W002": "a known key has no effect";
    LEGACY_NAME = "W003": "an old name stands for a newer one";
    NOT_OBSERVED = "W004": "an observing namespace is not built yet";
    ALLOWED = "W005": "an unsupported namespace is ignored because the command line says so";
    NANOSECONDS = "W006": "a duration without unit counts nanoseconds";
    LISTED_TWICE = "W007": "an entry is listed twice";
    REPLACED_HEADER = "W008": "a header of the client never goes on";
    BLANKS = "W009": "a client id or secret begins or ends with blanks";
    SWITCHED_OFF = "W010": "authentication or protection is switched off";
    UNUSED_OPTION = "W011": "a command line option has nothing to apply to";
    READABLE_SECRET = "W012": "a file with a secret can be read by everybody";
    UNUSED_CREDENTIAL = "W013": "no backend uses a named credential";
    SHORT_SECRET = "W014": "a secret that signs is shorter than its algorithm wants";
    OVERRULED = "W024": "a key that shapes answers is overruled by another one";
    POINTLESS = "W025": "a part of what shapes answers has no effect";
    CLIENTS_WORD = "W026": "a protection believes a header that any client can send";
    EVERY_REQUEST = "W027": "a redirect meets every request";
    SHARED_CACHE = "W028": "backends that share a cache disagree about its size";
    FLEXIBLE_OFF = "W020": "a `FC_…` variable has no effect without `FC_ENABLE`";
    UNREAD_SETTINGS = "W021": "a file in the folder of settings is not read";
    NEVER_RUNS = "W022": "a modifier runs on no side";
    TOKEN_HEADER = "W023": "a modifier sets the header that the token goes into";

    TLS_RAISED = "W042": "an old version of TLS or a curve is left out";
    OUT_OF_DATE = "W043": "a certificate is not valid today";
    BROAD_TRUST = "W044": "more are trusted than may be meant";
    INSECURE_UPSTREAMS = "W045": "certificates of upstreams are not checked";
    TLS_FLOOR = "W046": "an older version of TLS is allowed than is spoken";
    NOT_FOR_TOKENS = "W047": "a setting of connections does not reach the authorization server";
    NEAREST = "W048": "the nearest value that the system takes stands for another";

    // Lints: only `porteur check` looks for these.
    UNGUARDED = "W030": "requests carry a token and nobody asks who sends them";
    WILDCARD_HEADERS = "W031": "every header of the client goes on";
    WILDCARD_QUERY = "W032": "every query parameter of the client goes on beside a token";
    LONG_TIMEOUT = "W033": "a timeout is longer than people wait";
    TOKEN_IN_THE_CLEAR = "W034": "a token is sent without encryption";
    SHARED_TOKEN = "W035": "one token goes to several services";
    UNLIMITED_CALLS = "W036": "a token serves every method on every path";
    TOKEN_STAYS = "W037": "a request that a modifier sends elsewhere carries no token";
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_code_is_used_once_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, meaning) in CODES {
            assert!(seen.insert(code), "{code} is taken twice");
            assert!(code.len() == 4 && (code.starts_with('E') || code.starts_with('W')), "{code}");
            assert!(!meaning.is_empty());
        }
    }
}
