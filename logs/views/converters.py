"""ObjectIds in URLs: upper and lower case mean the same."""


class ObjectIdConverter:
    regex = "[0-9a-fA-F]{24}"

    def to_python(self, value: str) -> str:
        return value.lower()

    def to_url(self, value: str) -> str:
        return value
