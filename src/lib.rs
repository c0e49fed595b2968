//! stackmotion
