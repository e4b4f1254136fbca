// Reads solc's standard JSON from stdin, writes its answer to stdout. solc is found from the working folder.
const path = require("path");
const fs = require("fs");
const solc = require(path.join(process.cwd(), "node_modules", "solc"));
process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
