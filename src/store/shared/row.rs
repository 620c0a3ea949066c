//! Rows that queries give: the fields of a struct are the columns that are selected.

/// A row whose columns a `SELECT` lists.
pub(in crate::store) trait Selected {
    /// The list, given the name of the table there.
    fn select(row: &str) -> String;
}

/// Declares a row of one of our own tables, which is [`Selected`].
///
/// A field is the column of its name, or else of the expression that follows, where `{row}` stands for the table. Fields
/// after the `;` are rows themselves, whose columns are to be selected too. The first column of a query is the key of its rows.
macro_rules! row {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident of $table:literal {
        $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty $(= $expression:literal)?),* $(,)?
        $(; $($part_visibility:vis $part:ident: $part_type:ty),* $(,)?)?
    }) => {
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type,)*
            $($($part_visibility $part: $part_type,)*)?
        }

        impl $crate::store::shared::row::Selected for $name {
            fn select(row: &str) -> String {
                [$($crate::store::shared::row::column!(row, $field $(, $expression)?)),*].join(", ")
            }
        }

        impl $crate::store::shared::cell::FromRow for $name {
            fn read(row: &dyn $crate::store::shared::cell::Cells) -> Result<Self, $crate::store::shared::cell::Unread> {
                Ok(Self {
                    $($field: $crate::store::shared::cell::column(row, $table, stringify!($field))?,)*
                    $($($part: $crate::store::shared::cell::FromRow::read(row)?,)*)?
                })
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
