//! [`CarrierList`]: the carriers of a layer.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

use super::{Candidates, Carrier};
use crate::request::RequestHead;

/// The number of carriers that a layer can have: [`Candidates`] stores the index of a carrier in a byte.
const MAX_CARRIERS: usize = 256;

/// The carriers of a layer, in the order they are consulted: at least one, and at most [`MAX_CARRIERS`].
#[derive(Clone)]
pub(crate) struct CarrierList(Vec<ConfiguredCarrier>);

/// A carrier of a layer.
#[derive(Clone)]
pub(crate) struct ConfiguredCarrier {
    carrier: Arc<dyn Carrier>,
    /// The value of `Vary` for responses that depend on the carrier, made once; `None` if it reads no header.
    pub(crate) vary: Option<HeaderValue>,
}

impl ConfiguredCarrier {
    fn new(carrier: impl Carrier) -> Self {
        Self {
            vary: carrier.varies_on().map(HeaderValue::from),
            carrier: Arc::new(carrier),
        }
    }
}

impl CarrierList {
    /// Creates a list with one carrier.
    pub(crate) fn new(carrier: impl Carrier) -> Self {
        Self(vec![ConfiguredCarrier::new(carrier)])
    }

    /// Appends a carrier, unless the list is full.
    pub(crate) fn push(&mut self, carrier: impl Carrier) {
        if self.0.len() < MAX_CARRIERS {
            self.0.push(ConfiguredCarrier::new(carrier));
        }
    }

    /// Extracts the ids from a request. Consults every carrier, as an id that an earlier one finds may name no session,
    /// until one decides.
    #[inline]
    pub(crate) fn extract(&self, request: &RequestHead<'_>) -> Candidates {
        let mut candidates = Candidates::new();
        for (index, configured) in self.0.iter().enumerate() {
            // The index fits, as there are at most `MAX_CARRIERS`.
            candidates.set_carrier(index as u8);
            configured.carrier.read(request, &mut candidates);
            if candidates.is_decided() {
                break;
            }
        }
        candidates
    }

    /// Returns the carriers on which the choice of the session depended.
    pub(crate) fn consulted(&self, candidates: &Candidates, candidate: Option<usize>) -> &[ConfiguredCarrier] {
        let last = match candidate {
            Some(_) => Some(candidates.carrier(candidate)),
            None => candidates.decided_by(),
        };
        last.map_or(&self.0, |last| &self.0[..=last])
    }

    /// Returns the carrier that writes the response.
    pub(crate) fn responding(&self, candidates: &Candidates, candidate: Option<usize>) -> &dyn Carrier {
        &*self.0[candidates.carrier(candidate)].carrier
    }

    /// Collects the names that the carriers reserve.
    pub(crate) fn reserved_names(&self) -> Vec<String> {
        let names = self.0.iter().flat_map(|configured| configured.carrier.reserved_names());
        names.collect()
    }
}

/// Shows the carriers alone.
impl fmt::Debug for CarrierList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carriers = self.0.iter().map(|configured| &configured.carrier);
        f.debug_list().entries(carriers).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::HeaderCarrier;
    use super::*;

    #[test]
    fn a_list_has_as_many_carriers_as_a_byte_can_number() {
        let mut carriers = CarrierList::new(HeaderCarrier::new("x-0".parse().unwrap()));
        for number in 1..300 {
            let name = format!("x-{number}").parse().unwrap();
            carriers.push(HeaderCarrier::new(name));
        }
        let extracted = |header: &str| {
            let request = Request::get("/").header(header, "0123456789abcdef").body(()).unwrap();
            carriers.extract(&RequestHead::of(&request))
        };
        assert_eq!(extracted("x-1").carrier(None), 1);
        let last = extracted("x-255");
        assert_eq!(last.carrier(None), 255);
        assert_eq!(carriers.consulted(&last, Some(0)).len(), MAX_CARRIERS);
        assert!(!extracted("x-256").has_id());
    }
}
