"""People and things to post to, made through the HTTP interface as an operator would."""

from photseries.server.principal import MANAGE, UPLOAD


class World:
    """One admin; a group ``crew`` and a stream ``feed``; users with tokens; two sources and an instrument.

    ``tokens[name]`` is a client's token. anna owns what she posts; ben shares the group with her, sam the stream,
    olga nothing.
    """

    def __init__(self, admin):
        self.admin = admin
        self.users = {name: self.make("users", username=name) for name in ("anna", "ben", "sam", "olga")}
        self.crew = self.make("groups", name="crew", user_ids=[self.users["anna"], self.users["ben"]])
        self.feed = self.make("streams", name="feed", user_ids=[self.users["anna"], self.users["sam"]])
        self.source = self.make("sources", id="star", ra=10.0, dec=-20.0)
        self.other_source = self.make("sources", id="other star", ra=359.99, dec=89.0)
        self.instrument = self.make("instrument", name="TESS", id=7)
        self.tokens = {name: self.token(name, UPLOAD) for name in self.users}
        self.tokens["anna reads"] = self.token("anna")
        for name in ("ben", "sam", "olga"):
            self.tokens[f"{name} manages"] = self.token(name, MANAGE)

    def make(self, kind, **body):
        answer = self.admin.post(f"/api/{kind}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["id"]

    def token(self, name, *permissions):
        body = {"user_id": self.users[name], "permissions": permissions}
        answer = self.admin.post("/api/tokens", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["token"]

    def fields(self, **more):
        """Metadata of a series that is complete but for its name."""
        return {
            "obj_id": self.source,
            "instrument_id": self.instrument,
            "series_obj_id": "1",
            "ra": 10.0,
            "dec": -20.0,
            "exp_time": 120.0,
            "filter": "ztfg",
            **more,
        }
