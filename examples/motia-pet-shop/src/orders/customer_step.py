config = {
    "type": "noop",
    "name": "Customer",
    "description": "Somebody who wants a pet",
    "virtualEmits": ["pet.created"],
    "virtualSubscribes": [],
    "flows": ["pets"],
}
