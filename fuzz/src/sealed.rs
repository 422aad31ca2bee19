//! Signed and encrypted cookies against forgery.
//!
//! Some inputs of the corpus are genuine, made with the keys below. A change of them has to be refused, unless it is
//! genuine by the independent rules below.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use http::header::COOKIE;
use http::{HeaderValue, Request};
use sessile_tower::{Candidates, Carrier, CookieCarrier, CookieCarrierBuilder, KeyRing, RequestHead};
use sha2::Sha256;

use crate::bytes::changed;
use crate::id::may_be_an_id;

/// The keys, newest first.
const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const OTHER_KEY: [u8; 32] = [3; 32];

const NAME: &str = "id";
const OTHER_NAME: &str = "i";

type Protect = fn(CookieCarrierBuilder, KeyRing) -> CookieCarrierBuilder;

/// A protection of cookies, and carriers that must not accept its cookies.
struct Way {
    owner: CookieCarrier,
    strangers: [CookieCarrier; 2],
    /// Returns the id in a value, if that is genuine.
    open: fn(&[u8]) -> Option<Vec<u8>>,
}

static WAYS: LazyLock<[Way; 2]> = LazyLock::new(|| {
    [
        Way::new(CookieCarrierBuilder::signed, in_signed),
        Way::new(CookieCarrierBuilder::encrypted, in_encrypted),
    ]
});

/// Reads the input as the value of a cookie that is signed, and of one that is encrypted.
///
/// # Panics
///
/// If a forged value is accepted, or a genuine one is refused.
pub fn sealed(input: &[u8]) {
    for way in WAYS.iter() {
        let Some(found) = present(&way.owner, NAME, input) else {
            continue;
        };
        let genuine = (way.open)(input).filter(|id| may_be_an_id(id));
        let genuine = genuine.map(|id| String::from_utf8(id).expect("an id is ASCII"));
        assert_eq!(found, genuine);
        if found.is_none() {
            continue;
        }
        for (stranger, name) in way.strangers.iter().zip([NAME, OTHER_NAME]) {
            assert_eq!(present(stranger, name, input), Some(None), "accepted by a stranger");
        }
        let forged = changed(input);
        let accepted = present(&way.owner, NAME, &forged).flatten();
        assert_eq!(
            accepted,
            None,
            "{} in place of {}",
            forged.escape_ascii(),
            input.escape_ascii()
        );
    }
}

impl Way {
    fn new(protect: Protect, open: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let carrier = |name: &str, keys: &[[u8; 32]]| {
            let mut rings = keys.iter();
            let newest = KeyRing::new(rings.next().expect("there is a key")).expect("it is long enough");
            let ring = rings.fold(newest, |ring, key| ring.or(key).expect("it is long enough"));
            let builder = CookieCarrier::builder()
                .name(name)
                .unprefixed()
                .without_window_cookies();
            protect(builder, ring).build().expect("browsers accept it")
        };
        Self {
            owner: carrier(NAME, &KEYS),
            strangers: [carrier(NAME, &[OTHER_KEY]), carrier(OTHER_NAME, &KEYS)],
            open,
        }
    }
}

/// Presents a value to a carrier and returns the id that it finds; `None` if no request can hold such a value.
fn present(carrier: &CookieCarrier, name: &str, value: &[u8]) -> Option<Option<String>> {
    // Cookies end at a semicolon, and blanks around them do not count.
    if value.contains(&b';') || value.trim_ascii() != value {
        return None;
    }
    let cookie = [name.as_bytes(), b"=", value].concat();
    let mut request = Request::new(());
    request
        .headers_mut()
        .insert(COOKIE, HeaderValue::from_bytes(&cookie).ok()?);
    let mut candidates = Candidates::new();
    carrier.read(&RequestHead::of(&request), &mut candidates);
    Some(candidates.ids().next().map(|id| id.expose().to_owned()))
}

// The rules of genuine values, independent of the carriers.

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn derived(purpose: &str) -> impl Iterator<Item = [u8; 32]> {
    KEYS.iter()
        .map(move |key| keyed(key).chain_update(purpose).finalize().into_bytes().into())
}

/// Returns the id in a signed value: the id, a dot and the code.
fn in_signed(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.iter().rposition(|byte| *byte == b'.')?;
    let (id, code) = (&value[..at], &value[at + 1..]);
    let is_code = |key: [u8; 32]| {
        let expected = keyed(&key)
            .chain_update([NAME.as_bytes(), b"=", id].concat())
            .finalize();
        Base64UrlUnpadded::encode_string(&expected.into_bytes()).as_bytes() == code
    };
    derived("sessile signed cookie 1").any(is_code).then(|| id.to_owned())
}

/// Returns the id in an encrypted value: the nonce and the ciphertext.
fn in_encrypted(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    assert_eq!(Base64UrlUnpadded::encode_string(&bytes), text, "bytes have one text");
    let nonce: [u8; 24] = bytes.get(..24)?.try_into().ok()?;
    derived("sessile encrypted cookie 1").find_map(|key| {
        let payload = Payload {
            msg: &bytes[24..],
            aad: NAME.as_bytes(),
        };
        XChaCha20Poly1305::new(&key.into())
            .decrypt(&XNonce::from(nonce), payload)
            .ok()
    })
}
