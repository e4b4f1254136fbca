// PostGraphile's settings: the schema `api`, as far as the login in DATABASE_URL may read it.
import { fileURLToPath } from "node:url";

import { PgSimplifyInflectionPreset } from "@graphile/simplify-inflection";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { pgSmartTagsFromFile } from "postgraphile/utils";

const url = process.env.DATABASE_URL;
if (!url) {
  throw new Error("DATABASE_URL is not set: give the login of a member of chainfirst_reader");
}

// The views' key is called id, as in the database; PostGraphile would rename it for an id of its own.
const idsKeepTheirName = {
  name: "IdsKeepTheirName",
  inflection: {
    replace: {
      _attributeName: (previous, _options, details) => previous({ ...details, skipRowId: true }),
    },
  },
};

export default {
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset],
  plugins: [
    pgSmartTagsFromFile(fileURLToPath(new URL("postgraphile.tags.json5", import.meta.url))),
    idsKeepTheirName,
  ],
  disablePlugins: ["NodePlugin"],
  pgServices: [makePgService({ connectionString: url, schemas: ["api"] })],
  grafserv: {
    host: "127.0.0.1",
    port: Number(process.env.PORT ?? 5678),
    graphiql: true,
  },
};
