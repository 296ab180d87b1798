from pydantic import BaseModel


class News(BaseModel):
    text: str


config = {
    "name": "pet-news",
    "schema": News.model_json_schema(),
    "baseConfig": {"storageType": "default"},
    "canAccess": lambda subscription, context: True,
}
