async def shop_middleware(req, context, next_fn):
    shop = req.get("headers", {}).get("x-shop")
    if not shop:
        return {"status": 400, "body": {"error": "Say which shop: x-shop"}}
    req["shop"] = shop
    return await next_fn()
