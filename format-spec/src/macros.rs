//! The two macros that declare everything on disk.
//!
//! `on_disk!` declares a structure, asserts its size and lists its fields; `codes!` declares a closed set of
//! numbers. Both leave a table behind (`FIELDS`, `ALL`) that `tests/spec` compares with SPEC.md, so that
//! neither can change without the other.

/// Declares one on-disk structure: `repr(C)`, byte-aligned little-endian fields, no implicit padding.
macro_rules! on_disk {
    (
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty , )*
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout,
            zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field : $type , )*
        }

        impl $name {
            /// Size in bytes, as SPEC.md gives it.
            pub const SIZE: usize = $size;

            /// Name, offset and size of every field, in order.
            pub const FIELDS: &'static [$crate::Field] = &[
                $( $crate::Field {
                    name: stringify!($field),
                    offset: core::mem::offset_of!($name, $field),
                    size: core::mem::size_of::<$type>(),
                } , )*
            ];
        }

        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!($size % 8 == 0);
    };
}

/// Declares a closed set of numbers with their names.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident : $repr:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $value:literal , )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr($repr)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant = $value , )*
        }

        impl $name {
            /// Every value with its name in SPEC.md.
            pub const ALL: &'static [($name, &'static str)] =
                &[ $( ($name::$variant, stringify!($variant)) , )* ];

            /// The number stored on disk.
            pub const fn code(self) -> $repr {
                self as $repr
            }

            /// The value behind a stored number, or `None` if this version knows none.
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code {
                    $( $value => Some($name::$variant) , )*
                    _ => None,
                }
            }

            /// The name SPEC.md gives it.
            pub const fn name(self) -> &'static str {
                match self {
                    $( $name::$variant => stringify!($variant) , )*
                }
            }
        }
    };
}
