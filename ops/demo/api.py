"""What apps see at the end: the views of the schema api, as everybody may read them."""

from typing import Any

import psycopg
from chainfirst.ops.demo.ledger import Row
from psycopg.rows import dict_row

LATEST = 16
_VIEWS = {
    "api.campaigns": """
        SELECT title, status, goal, current_funding AS raised, progress_percentage AS "%% of goal",
            investor_count AS investors, funds_released AS released, is_final AS final
        FROM api.campaigns ORDER BY started_at
    """,
    "api.fund_escrows": """
        SELECT c.title, e.status, e.total_escrowed AS escrowed, e.released_amount AS released,
            e.released_fee AS fee, e.refunded_amount AS refunded, e.escrow_balance AS left,
            e.refund_completed AS "all refunded", e.is_final AS final
        FROM api.fund_escrows e JOIN api.campaigns c ON c.id = e.campaign ORDER BY e.created_at
    """,
    "api.nft_share_certificates": """
        SELECT n.token_id AS number, c.title, n.owner, n.investment_amount AS birr, n.voting_weight AS votes,
            n.transfer_count AS transfers, n.is_final AS final
        FROM api.nft_share_certificates n JOIN api.campaigns c ON c.id = n.campaign ORDER BY n.token_id
    """,
    "api.activity, the newest first": """
        SELECT block_number AS block, at, what, is_final AS final FROM api.activity LIMIT %(latest)s
    """,
}


def read(connection: psycopg.Connection[Any]) -> dict[str, list[Row]]:
    """Each view's rows, of one snapshot, in the role of who only reads."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET LOCAL ROLE chainfirst_reader")
        return {
            name: cursor.execute(statement.encode(), {"latest": LATEST}).fetchall()
            for name, statement in _VIEWS.items()
        }
