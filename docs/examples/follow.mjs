// Follows the chain: prints what came and went, one JSON line for each table that a change touched.
// DATABASE_URL=postgresql://… node follow.mjs [CURSOR]      without a cursor: from now on
import pg from 'pg'

const CHANGES = 'SELECT seq, kind, from_block, to_block, table_name, added, removed FROM api.changes($1)'
const client = new pg.Client({ connectionString: process.env.DATABASE_URL })
await client.connect()
let wake = () => {}
client.on('notification', () => wake())
await client.query('LISTEN chainfirst_block') // listen first, look afterwards
const { rows: [now] } = await client.query('SELECT last_change FROM api.chain_status')
let cursor = process.argv[2] ?? now.last_change
for (;;) {
  const woken = new Promise(resolve => { wake = resolve })
  const { rows: changes } = await client.query(CHANGES, [cursor]).catch(error => {
    if (error.code !== '22023') throw error
    console.error(`${error.message}. ${error.hint}`) // too old: read all anew
    process.exit(1)
  })
  for (const change of changes) {
    console.log(JSON.stringify(change)) // do your work here, and keep the cursor with it
    cursor = change.seq
  }
  if (changes.length === 0) { // look again each minute: notifications are lost with their session
    const minute = setTimeout(wake, 60_000)
    await woken
    clearTimeout(minute)
  }
}
