// REST over the schema `api`, as far as the login in DATABASE_URL may read it: a GET for each view, described by an
// OpenAPI document. Views can't be written to, and the server makes no such route for them.
import sqlMapper from "@platformatic/sql-mapper";
import sqlOpenapi from "@platformatic/sql-openapi";
import fastify from "fastify";

const url = process.env.DATABASE_URL;
if (!url) {
  throw new Error("DATABASE_URL is not set: give the login of a member of chainfirst_reader");
}

const app = fastify({ logger: { level: process.env.LOG_LEVEL ?? "warn" } });
await app.register(sqlMapper, {
  connectionString: url,
  log: app.log,
  ignore: { users: true }, // personal: no reader sees a column of it, and sql-openapi wants at least one
  limit: { default: 50, max: 500 },
});
await app.register(sqlOpenapi, { info: { title: "The platform", description: "What its chain says" } });
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 5679) });
console.log(`REST on ${app.listeningOrigin}/documentation`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => app.close());
}
