"""Programs that record through the OpenTelemetry API; the same under any SDK.

Each module has `run()`. One that needs more of the SDK than its API has `views(sdk)`, with the package of the SDK.
"""
