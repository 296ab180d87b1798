config = {
    "type": "cron",
    "name": "CountPets",
    "cron": "0 9 * * *",
    "emits": [],
    "flows": ["pets"],
}


async def handler(ctx):
    pets = await ctx.state.get_group("pets-london")
    ctx.logger.info("Pets in London", {"count": len(pets)})
