//! Writing JSON with an eye on what could not be read again.
//!
//! `serde_json` writes more than it reads: a number that is not finite becomes `null`, and what is nested deeper than
//! its reader goes is written all the same. To notice that, each serializer is wrapped on the way down, which the
//! compiler sees through: nothing is written twice or read back.

use std::cell::Cell;

use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

use super::error::CodecReason;

/// How many arrays and objects may stand in each other: as many as `serde_json` reads.
pub(super) const MAX_DEPTH: u8 = 127;

/// What one value is watched for.
pub(super) struct Watched {
    found: Cell<Option<CodecReason>>,
}

impl Watched {
    pub(super) fn new() -> Self {
        Self { found: Cell::new(None) }
    }

    pub(super) fn write<T: Serialize + ?Sized, S: Serializer>(&self, value: &T, inner: S) -> Result<S::Ok, S::Error> {
        value.serialize(Checked {
            inner,
            watch: Watch {
                found: &self.found,
                depth: 0,
            },
        })
    }

    /// Why it could not be written.
    pub(super) fn reason(&self) -> CodecReason {
        self.found.get().unwrap_or(CodecReason::Unwritable)
    }
}

#[derive(Clone, Copy)]
struct Watch<'a> {
    found: &'a Cell<Option<CodecReason>>,
    /// How many arrays and objects we are in.
    depth: u8,
}

impl Watch<'_> {
    #[inline]
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(CodecReason::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    #[cold]
    fn refuse<E: Error>(self, reason: CodecReason) -> E {
        self.found.set(Some(reason));
        E::custom(reason)
    }
}

/// A serializer, watched.
struct Checked<'a, S> {
    inner: S,
    watch: Watch<'a>,
}

/// A value in a value, which is given a serializer by one that is watched.
struct Inside<'a, T: ?Sized> {
    value: &'a T,
    watch: Watch<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked {
            inner,
            watch: self.watch,
        })
    }
}

/// What becomes text, a number or nothing.
macro_rules! forward {
    ($($method:ident($($arg:ident: $type:ty),*))*) => {$(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($arg),*)
        }
    )*};
}

/// What becomes an array or an object.
macro_rules! compound {
    ($($method:ident($($arg:ident: $type:ty),*) -> $compound:ident, $deeper:literal;)*) => {$(
        #[inline]
        fn $method(self, $($arg: $type),*) -> Result<Self::$compound, S::Error> {
            let mut watch = self.watch;
            for _ in 0..$deeper {
                watch = watch.deeper()?;
            }
            Ok(Checked { inner: self.inner.$method($($arg),*)?, watch })
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
        // An object with the variant's name, and what is in it.
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant, 2;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant, 2;
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        if !v.is_finite() {
            return Err(self.watch.refuse(CodecReason::NotFinite));
        }
        self.inner.serialize_f32(v)
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        if !v.is_finite() {
            return Err(self.watch.refuse(CodecReason::NotFinite));
        }
        self.inner.serialize_f64(v)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let watch = self.watch;
        self.inner.serialize_some(&Inside { value, watch })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let watch = self.watch;
        self.inner.serialize_newtype_struct(name, &Inside { value, watch })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let watch = self.watch.deeper()?;
        let inside = Inside { value, watch };
        self.inner.serialize_newtype_variant(name, index, variant, &inside)
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

/// The parts of an array or object, of which some have names.
macro_rules! parts {
    ($($compound:ident: $($method:ident($($name:ident: $type:ty)?))*;)*) => {$(
        impl<C: $compound> $compound for Checked<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), C::Error> {
                    let watch = self.watch;
                    self.inner.$method($($name,)? &Inside { value, watch })
                }
            )*

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key() serialize_value();
    SerializeStruct: serialize_field(key: &'static str);
    SerializeStructVariant: serialize_field(key: &'static str);
}
