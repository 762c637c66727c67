"""Drives a server with the vendor's own package, unchanged, through every call that the reference
documents and the package has: first the synchronous client, then the asynchronous one.

Argument: base URL. Prints a JSON object of what came of it.
"""

import asyncio
import inspect
import json
import sys

import machins
from machins import AsyncMachins, Machins

BASE_URL = sys.argv[1]


async def value(result):
    """The result of a call of either client."""
    return await result if inspect.isawaitable(result) else result


async def trade_story(client_class, prefix):
    """Two agents trade; returns figures to be checked."""
    nobody = client_class(base_url=BASE_URL)
    seller_joined = await value(
        nobody.join(
            "Seller",
            f"{prefix}-seller",
            description="Sells",
            agent_type="tool",
            capabilities=["nlp"],
        )
    )
    buyer_joined = await value(nobody.join("Buyer", f"{prefix}-buyer"))
    seller = client_class(api_key=seller_joined.api_key, base_url=BASE_URL)
    buyer = client_class(api_key=buyer_joined.api_key, base_url=BASE_URL)

    # The synchronous client does not know this field.
    expiry = {} if client_class is Machins else {"expires_in_hours": 24}
    listing = await value(
        seller.create_listing(
            "Sentiment Analysis",
            f"{prefix}-sentiment",
            "task",
            50,
            description="Send text, get sentiment.",
            tags=["nlp"],
            input_schema={"type": "object"},
            output_schema={"type": "object"},
            **expiry,
        )
    )
    updated = await value(seller.update_listing(listing.id, price=60.5, title="Sentiment"))
    mine = await value(seller.list_listings())
    fetched = await value(seller.get_listing(listing.id))
    page = await value(
        buyer.browse(
            listing_type="task",
            side="offer",
            tags="nlp",
            min_price=1,
            max_price=99,
            search="sentiment",
        )
    )
    detail = await value(buyer.get_marketplace_listing(listing.id))

    subscription = await value(
        seller.subscribe("trade_proposed", "http://127.0.0.1:9/hook", secret="s", filters={})
    )
    subscriptions = await value(seller.list_subscriptions())
    await value(seller.unsubscribe(subscription["id"]))

    trade = await value(buyer.propose_trade(listing.id, "JSON, please", metadata={"a": 1}))
    inbox = await value(seller.get_inbox(unread=True, event_type="trade_proposed"))
    acknowledged = await value(seller.ack_inbox([inbox["items"][0]["id"]]))
    accepted = await value(seller.accept_trade(trade.id))
    held = await value(buyer.get_wallet())
    delivered = await value(seller.deliver_trade(trade.id, payload={"result": "positive"}))
    confirmed = await value(buyer.confirm_trade(trade.id))
    review = await value(buyer.create_review(trade.id, 5, "Fast"))
    trades = await value(seller.list_trades(role="seller", status="completed"))
    again = await value(buyer.get_trade(trade.id))
    seller_wallet = await value(seller.get_wallet())
    transactions = await value(seller.get_transactions())
    await value(buyer.ack_all_inbox())

    rejected = await value(buyer.propose_trade(listing.id))
    rejected = await value(seller.reject_trade(rejected.id, "busy"))
    cancelled = await value(buyer.propose_trade(listing.id))
    await value(seller.accept_trade(cancelled.id))
    cancelled = await value(buyer.cancel_trade(cancelled.id, "changed my mind"))
    disputed = await value(buyer.propose_trade(listing.id))
    await value(seller.accept_trade(disputed.id))
    await value(seller.deliver_trade(disputed.id, payload={"result": "?"}))
    disputed = await value(buyer.dispute_trade(disputed.id, "not what I asked for"))

    errors = {}
    for name, call in {
        "duplicate": lambda: seller.create_listing("Again", f"{prefix}-sentiment", "task", 5),
        "unknown": lambda: buyer.get_trade("nope"),
        "transition": lambda: seller.accept_trade(trade.id),
        "forbidden": lambda: buyer.accept_trade(trade.id),
        "unauthorized": lambda: client_class(api_key="at_wrong", base_url=BASE_URL).get_wallet(),
        "validation": lambda: seller.create_listing("Bad", "Bad Slug", "task", 5),
    }.items():
        try:
            await value(call())
            errors[name] = None
        except machins.MachinsError as error:
            errors[name] = [type(error).__name__, error.status_code]

    deactivated = await value(seller.deactivate_listing(listing.id))
    stats = await value(nobody.get_stats())
    info = await value(nobody.get_platform_info())
    return {
        "credits": seller_joined.starter_credits,
        "updated_price": str(updated.price),
        "listings": [item.id == listing.id for item in mine],
        "fetched": fetched.title,
        "found": [item.id == listing.id for item in page.items],
        "detail": detail.seller_agent_slug,
        "subscriptions": len(subscriptions),
        "proposed": trade.status,
        "inbox": inbox["items"][0]["payload"]["trade_id"] == trade.id,
        "acknowledged": acknowledged is not None,
        "accepted": accepted.status,
        "held": str(held.held_balance),
        "delivered": delivered.status,
        "confirmed": confirmed.status,
        "again": again.status,
        "rating": review.rating,
        "completed": [item.id == trade.id for item in trades.items],
        "seller_balance": str(seller_wallet.balance),
        "transactions": len(transactions.items) > 0,
        "rejected": rejected.status,
        "cancelled": cancelled.status,
        "disputed": disputed.status,
        "errors": errors,
        "is_active": deactivated.is_active,
        "total_trades": stats.total_trades > 0,
        "info": isinstance(info, dict),
    }


print(
    json.dumps(
        {
            "sync": asyncio.run(trade_story(Machins, "sync")),
            "async": asyncio.run(trade_story(AsyncMachins, "async")),
        }
    )
)
