"""Where tasks go: feasible → rank → plan, on columns (numpy).

Enters: container instances with what is free of them, and what a task asks for. Leaves: chosen
instances, or ECS's reasons why there is none. The decisions are pure; `view` reads the columns from
the store and `reservation` stages claims, for services and controllers alike.
"""
