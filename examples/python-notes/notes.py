"""Notes that are announced through Kafka, by a service that knows nothing of Kafka.

POST /notes writes a note and tells of it, in one transaction. GET /announced lists what was
announced, by this service or another that shares the topic. The sidecar alone reaches POST /inbox.
"""
import json, os, signal, sys, threading, uuid
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2


def transaction(work, argument):
    """Commits what work does, or rolls it back on an exception."""
    with open(os.environ["DATABASE_URL_FILE"]) as url, closing(psycopg2.connect(url.read().strip())) as database:
        with database, database.cursor() as sql:
            return work(sql, argument)


def write(sql, note):
    note = {"id": str(uuid.uuid4()), "text": str(note["text"])}
    sql.execute("INSERT INTO notes (id, text) VALUES (%(id)s, %(text)s)", note)
    sql.execute("""INSERT INTO outbox (id, aggregate_type, aggregate_id, type, payload)
                   VALUES (gen_random_uuid(), 'note', %s, 'note.written', %s)""", (note["id"], json.dumps(note)))
    return note


def announced(sql, _):
    sql.execute("SELECT id, text, kafka_offset FROM announced ORDER BY seen_at DESC, id LIMIT 100")
    return [dict(zip(("id", "text", "kafkaoffset"), row)) for row in sql.fetchall()]


def apply(sql, event):
    sql.execute("""UPDATE inbox SET processed_at = clock_timestamp(), attempts = attempts + 1
                   WHERE message_id = %s AND coalesce(processed_at, dead_at) IS NULL""", (event["id"],))
    if sql.rowcount == 0:
        return "duplicate"
    sql.execute("INSERT INTO announced (id, text, kafka_offset) VALUES (%s, %s, %s)",
                (event["data"]["id"], event["data"]["text"], event["kafkaoffset"]))
    return "applied"


def deliver(events):
    results = []
    for event in events:
        try:
            results.append({"id": event["id"], "status": transaction(apply, event)})
        except (KeyError, TypeError, ValueError, psycopg2.DataError, psycopg2.IntegrityError) as error:
            results.append({"id": event["id"], "status": "rejected", "reason": repr(error)})
        except psycopg2.Error:
            break  # the database is away; what has no result comes again
    return {"results": results}


def serve(address, routes):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, answer = 404, {"error": "no such path"}
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if (self.command, self.path) in routes:
                    status, answer = 200, routes[self.command, self.path](json.loads(body or "null"))
            except (KeyError, TypeError, ValueError, psycopg2.DataError) as error:
                status, answer = 400, {"error": repr(error)}
            except psycopg2.Error as error:
                status, answer = 503, {"error": str(error)}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_POST = do_GET

    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    inbox = {("POST", "/inbox"): deliver}
    threading.Thread(target=serve, args=(("127.0.0.1", 8090), inbox), daemon=True).start()
    serve(("0.0.0.0", 8080), {
        ("GET", "/healthz"): lambda _: "fine",
        ("POST", "/notes"): lambda note: transaction(write, note),
        ("GET", "/announced"): lambda _: transaction(announced, None),
    })
