"""The two routes."""

from django.urls import path

from courier import views

urlpatterns = [path("v1/messages", views.messages), path("v1/messages/<uuid:message_id>", views.message)]
