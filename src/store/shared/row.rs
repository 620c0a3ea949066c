//! Rows that queries give: the fields of a struct are the columns that are selected.

/// Declares a row, and a function `select` that lists its columns for a `SELECT`, given the name of the table there.
///
/// A field is the column of its name, or else of the expression that follows, where `{row}` stands for the table. Fields
/// after the `;` are rows themselves, whose columns are to be selected too.
macro_rules! row {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty $(= $expression:literal)?),* $(,)?
        $(; $($part_visibility:vis $part:ident: $part_type:ty),* $(,)?)?
    }) => {
        $(#[$meta])*
        #[derive(sqlx::FromRow)]
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type,)*
            $($(#[sqlx(flatten)] $part_visibility $part: $part_type,)*)?
        }

        impl $name {
            pub(in crate::store) fn select(row: &str) -> String {
                [$($crate::store::shared::row::column!(row, $field $(, $expression)?)),*].join(", ")
            }
        }
    };
}

/// One column of a `SELECT`.
macro_rules! column {
    ($row:ident, $field:ident) => {
        format!("{}.{}", $row, stringify!($field))
    };
    ($row:ident, $field:ident, $expression:literal) => {
        format!(concat!($expression, " AS ", stringify!($field)), row = $row)
    };
}

pub(in crate::store) use {column, row};
