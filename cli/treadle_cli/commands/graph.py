"""`treadle graph`: the flows as a picture or as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle_cli import terminal
from treadle_cli.options import Folder, Project, project_folder


def graph(
    folder: Folder = None,
    project: Project = None,
    flow: Annotated[list[str] | None, typer.Option("--flow", help="Only this flow; may be given again.")] = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Write Mermaid diagrams, which GitHub and editors draw.")
    ] = False,
    save_layout: Annotated[
        bool, typer.Option("--save-layout", help="Keep the place of each step in motia-workbench.json.")
    ] = False,
) -> None:
    """Show which step hands what to which.

    Each flow's steps and the topics between them, as JSON in the form that Motia's Workbench takes, with the positions
    of motia-workbench.json.
    """
    from treadle_cli.flow_view import flow_json, flow_mermaid
    from treadle_infra.app.findings import TreadleError
    from treadle_infra.app.flows import flows_of
    from treadle_infra.discovery.discover import discover
    from treadle_infra.flow_layout import LAYOUT_FILE, FlowLayout
    from treadle_infra.options import usual_options

    chosen = project_folder(folder, project)
    discovery = discover(chosen, usual_options(chosen).discover)
    terminal.show_findings(tuple(finding for finding in discovery.findings if finding.severity == "error"))
    flows = flows_of(discovery.app)
    names = [one.name for one in flows]
    for name in flow or ():
        if name not in names:
            hint = f"it has {', '.join(names)}" if names else "its steps name none: `flows` in their configs"
            raise TreadleError("no-such-flow", f"the project has no flow `{name}`", hint=hint)
    shown = [one for one in flows if not flow or one.name in flow]
    layout = FlowLayout.read(chosen)
    if save_layout and layout.save(shown):
        terminal.say(f"wrote {LAYOUT_FILE}")
    if mermaid:
        typer.echo("\n".join(flow_mermaid(one) for one in shown))
    else:
        terminal.show_json([flow_json(one, layout.positions(one)) for one in shown])
