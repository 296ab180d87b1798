from pathlib import Path

config = {
    "name": "Page",
    "type": "api",
    "path": "/",
    "method": "GET",
    "description": "The page that shows the list.",
    "includeFiles": ["page.html"],
    "flows": ["todos"],
}


async def handler(req, context):
    page = Path(__file__).with_name("page.html").read_text()
    return {"status": 200, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page}
