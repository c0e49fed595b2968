//! Key pairs of a CloudStack before 4.23: one per user, in the user's row (`contract/entities.md` 3.22).

use crate::args;
use crate::store::{NewKey, Sealed, StoreError, Tx};

impl Tx {
    /// Gives a user this pair in the place of the one it has, or takes that one away, and gives the number under which the
    /// pair is listed: the user's.
    ///
    /// # Errors
    /// [`StoreError::Absent`] when the pair is to have a name, a time or rules of its own; see [`crate::store::Db::rows`]
    /// for the rest.
    pub(in crate::store) async fn key_of_user(
        &mut self,
        user_id: i64,
        pair: Option<(&str, &Sealed)>,
        new: &NewKey,
    ) -> Result<i64, StoreError> {
        let is_plain = new.name.is_none() && new.description.is_none() && new.starts.is_none() && new.ends.is_none();
        if !is_plain || !new.rules.is_empty() {
            return Err(StoreError::Absent {
                what: "A key pair with a name, a time or rules of its own",
                since: "4.23",
            });
        }
        let sql = "UPDATE user SET api_key = ?, secret_key = ? WHERE id = ?";
        let (api_key, secret) = pair.map(|(api_key, secret)| (api_key.to_owned(), secret.text().to_owned())).unzip();
        self.run(sql, args![api_key, secret, user_id]).await?;
        Ok(user_id)
    }
}
