// Reads a published snapshot the way a BI tool on Node does, again and again, and prints one JSON
// object: every generation that each read saw, and the comment of the conversations table.
// Usage: node read.mjs <database> <stop file>
import { existsSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";

const [database, stop] = process.argv.slice(2);
const seen = [];
let comment = null;
do {
  const instance = await DuckDBInstance.create(database, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(
    "select generation from marts.conversations union select generation from marts.messages" +
      " union select generation from reports.statistical_report",
  );
  seen.push(reader.getRows().map((row) => Number(row[0])));
  const comments = await connection.runAndReadAll(
    "select comment from duckdb_tables() where table_name = 'conversations'",
  );
  comment = comments.getRows()[0][0];
  connection.closeSync();
  instance.closeSync();
} while (!existsSync(stop));
console.log(JSON.stringify({ seen, comment }));
