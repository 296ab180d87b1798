def welcome(template, name):
    return template.strip().replace("{name}", name)
