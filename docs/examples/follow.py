"""Follows the chain: prints what came and went, one JSON line for each table that a change touched.

DATABASE_URL=postgresql://… python follow.py [CURSOR]      without a cursor: from now on
"""

import json
import os
import sys

import psycopg
from psycopg.rows import dict_row

CHANGES = "SELECT seq, kind, from_block, to_block, table_name, added, removed FROM api.changes(%s)"

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row) as session:
    session.execute("LISTEN chainfirst_block")  # listen first, look afterwards
    (now,) = session.execute("SELECT last_change FROM api.chain_status").fetchall()
    cursor = int(sys.argv[1]) if len(sys.argv) > 1 else now["last_change"]
    while True:
        try:
            changes = session.execute(CHANGES, [cursor]).fetchall()
        except psycopg.errors.InvalidParameterValue as error:  # too old: read all anew
            sys.exit(f"{error.diag.message_primary}. {error.diag.message_hint}")
        for change in changes:
            print(json.dumps(change), flush=True)  # do your work here, and keep the cursor with it
            cursor = change["seq"]
        if not changes:  # look again each minute: notifications are lost with their session
            next(session.notifies(timeout=60, stop_after=1), None)
