//! Encodes JSON and refuses values that could not be decoded again.
//!
//! `serde_json` writes more than it reads: a number that is not finite becomes `null`, and values nested deeper than
//! its recursion limit are still written. To detect both, each serializer is wrapped on the way down. The wrappers are
//! inlined; nothing is written twice or read back.

use std::cell::Cell;

use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

use super::error::CodecReason;

/// The number of arrays and objects that may be nested: the recursion limit of `serde_json`.
pub(super) const MAX_DEPTH: u8 = 127;

/// Serializes one value, or returns why it was refused.
pub(super) fn write<T: Serialize + ?Sized, S: Serializer>(value: &T, inner: S) -> Result<S::Ok, CodecReason> {
    let reason = Cell::new(None);
    let nesting = Nesting {
        reason: &reason,
        depth: 0,
    };
    let written = value.serialize(Checked { inner, nesting });
    written.map_err(|_| reason.get().unwrap_or(CodecReason::Unwritable))
}

/// The position of a serializer in the value.
#[derive(Clone, Copy)]
struct Nesting<'a> {
    reason: &'a Cell<Option<CodecReason>>,
    /// The number of arrays and objects around it.
    depth: u8,
}

impl Nesting<'_> {
    #[inline]
    fn enter<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(CodecReason::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    #[cold]
    fn fail<E: Error>(self, reason: CodecReason) -> E {
        self.reason.set(Some(reason));
        E::custom(reason)
    }
}

/// A serializer that checks the values it is given.
struct Checked<'a, S> {
    inner: S,
    nesting: Nesting<'a>,
}

/// A nested value, which is given a checked serializer.
struct Element<'a, T: ?Sized> {
    value: &'a T,
    nesting: Nesting<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Element<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked {
            inner,
            nesting: self.nesting,
        })
    }
}

/// Implements the methods for scalars by forwarding them.
macro_rules! forward {
    ($($method:ident($($arg:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($arg),*)
        }
    )*};
}

/// Implements the methods for arrays and objects, which enter that many levels.
macro_rules! compound {
    ($($method:ident($($arg:ident: $type:ty),*) -> $compound:ident, $levels:literal;)*) => {$(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<Self::$compound, S::Error> {
            let mut nesting = self.nesting;
            for _ in 0..$levels {
                nesting = nesting.enter()?;
            }
            Ok(Checked { inner: self.inner.$method($($arg),*)?, nesting })
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Checked<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Checked<'a, S::SerializeSeq>;
    type SerializeTuple = Checked<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Checked<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Checked<'a, S::SerializeTupleVariant>;
    type SerializeMap = Checked<'a, S::SerializeMap>;
    type SerializeStruct = Checked<'a, S::SerializeStruct>;
    type SerializeStructVariant = Checked<'a, S::SerializeStructVariant>;

    forward! {
        serialize_bool(v: bool)
        serialize_i8(v: i8)
        serialize_i16(v: i16)
        serialize_i32(v: i32)
        serialize_i64(v: i64)
        serialize_i128(v: i128)
        serialize_u8(v: u8)
        serialize_u16(v: u16)
        serialize_u32(v: u32)
        serialize_u64(v: u64)
        serialize_u128(v: u128)
        serialize_char(v: char)
        serialize_str(v: &str)
        serialize_bytes(v: &[u8])
        serialize_none()
        serialize_unit()
        serialize_unit_struct(name: &'static str)
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str)
    }

    compound! {
        serialize_seq(len: Option<usize>) -> SerializeSeq, 1;
        serialize_tuple(len: usize) -> SerializeTuple, 1;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct, 1;
        serialize_map(len: Option<usize>) -> SerializeMap, 1;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct, 1;
        // These write an object with the name of the variant as its key, and an array or object in it.
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant, 2;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant, 2;
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        if !v.is_finite() {
            return Err(self.nesting.fail(CodecReason::NotFinite));
        }
        self.inner.serialize_f32(v)
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        if !v.is_finite() {
            return Err(self.nesting.fail(CodecReason::NotFinite));
        }
        self.inner.serialize_f64(v)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let nesting = self.nesting;
        self.inner.serialize_some(&Element { value, nesting })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let nesting = self.nesting;
        self.inner.serialize_newtype_struct(name, &Element { value, nesting })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let nesting = self.nesting.enter()?;
        let checked = Element { value, nesting };
        self.inner.serialize_newtype_variant(name, index, variant, &checked)
    }

    #[inline]
    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Implements the serializers of elements and fields, which check each nested value.
macro_rules! implement_compound {
    ($($compound:ident: $($method:ident($($name:ident: $type:ty)?))*;)*) => {$(
        impl<C: $compound> $compound for Checked<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), C::Error> {
                    let nesting = self.nesting;
                    self.inner.$method($($name,)? &Element { value, nesting })
                }
            )*

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

implement_compound! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key() serialize_value();
    SerializeStruct: serialize_field(key: &'static str);
    SerializeStructVariant: serialize_field(key: &'static str);
}
