//! Which request headers go on: the allow-lists of an endpoint and its backend, made one.

use crate::config::model::AllowList;
use http::{HeaderName, header};

/// Request headers of a handshake, which pass whatever is listed: without them there is none.
pub static HANDSHAKE: [HeaderName; 6] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// The names that both lists let through.
#[must_use]
pub fn both<T: Clone + PartialEq>(endpoint: &AllowList<T>, backend: Option<&AllowList<T>>) -> AllowList<T> {
    match (endpoint, backend) {
        (list, None | Some(AllowList::All)) | (AllowList::All, Some(list)) => list.clone(),
        (AllowList::Only(endpoint), Some(AllowList::Only(backend))) => {
            AllowList::Only(endpoint.iter().filter(|name| backend.contains(name)).cloned().collect())
        }
    }
}

/// The header names of an endpoint with its backend. Without any list KrakenD lets `Content-Type` through.
#[must_use]
pub fn allowed(endpoint: &AllowList<HeaderName>, backend: Option<&AllowList<HeaderName>>) -> AllowList<HeaderName> {
    match both(endpoint, backend) {
        AllowList::Only(mut names) => {
            if !names.contains(&header::CONTENT_TYPE) {
                names.push(header::CONTENT_TYPE);
            }
            AllowList::Only(names)
        }
        AllowList::All => AllowList::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AllowList::{All, Only};

    #[test]
    fn the_backends_list_narrows_the_endpoints() {
        assert_eq!(both(&All, None), All::<u8>);
        assert_eq!(both(&All, Some(&Only(vec![1]))), Only(vec![1]));
        assert_eq!(both(&Only(vec![1, 2]), Some(&Only(vec![2, 3]))), Only(vec![2]));
        assert_eq!(both(&Only(vec![1]), Some(&All)), Only(vec![1]));
    }

    #[test]
    fn content_type_always_goes_on() {
        assert_eq!(allowed(&Only(vec![]), None), Only(vec![header::CONTENT_TYPE]));
    }
}
