//! Direct access to a ledger's database, as an attacker has it.

use rusqlite::Connection;

use super::Lab;

impl Lab {
    /// Opens the database of the ledger in this folder.
    pub fn database(&self, ledger: &str) -> Connection {
        let database = Connection::open(self.path(&format!("{ledger}/ledger.sqlite"))).unwrap();
        database.pragma_update(None, "foreign_keys", false).unwrap();
        database
    }

    /// Executes these statements.
    #[track_caller]
    pub fn edit(&self, ledger: &str, sql: &str) {
        self.database(ledger).execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Executes these statements on a fresh copy of a ledger.
    #[track_caller]
    pub fn edit_copy(&self, ledger: &str, copy: &str, sql: &str) {
        self.run("sh", &["-c", &format!("rm -rf {copy} && cp -r {ledger} {copy}")]).ok();
        self.edit(copy, sql);
    }

    /// Returns the text in the first column of each row.
    #[track_caller]
    pub fn query(&self, ledger: &str, sql: &str) -> Vec<String> {
        let database = self.database(ledger);
        let mut statement = database.prepare(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Returns the lines of a ceremony's transcript.
    pub fn transcript(&self, ledger: &str, ceremony: u32) -> String {
        let lines =
            format!("SELECT line || x'0a' FROM transcript WHERE ceremony = {ceremony} ORDER BY number");
        self.query(ledger, &lines).concat()
    }

    /// Locks the database until it is dropped.
    pub fn hold(&self, ledger: &str) -> Connection {
        let database = self.database(ledger);
        database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
        database
    }

    /// Rewrites the transcript of a ceremony in a fresh copy `bad` of the ledger.
    #[track_caller]
    pub fn rewrite(&self, ceremony: u32, edit: &str) {
        self.write("old.jsonl", self.transcript("ledger", ceremony));
        self.write("rewrite.py", super::REWRITE);
        self.run("python3", &["rewrite.py", "old.jsonl", "new.jsonl", edit]).ok();
        self.edit_copy("ledger", "bad", &format!("DELETE FROM transcript WHERE ceremony = {ceremony}"));
        let mut database = self.database("bad");
        let changes = database.transaction().unwrap();
        for (number, line) in (1..).zip(self.read("new.jsonl").lines()) {
            changes.execute("INSERT INTO transcript VALUES (?, ?, ?)", (ceremony, number, line)).unwrap();
        }
        changes.commit().unwrap();
    }
}
